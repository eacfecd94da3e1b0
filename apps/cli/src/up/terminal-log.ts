/** The server's log for a person in a terminal: warnings and errors, a line each; the details are for log files. */
import { makeLog } from '@ephor/engine/kernel'
import type { Logger } from '@ephor/engine/kernel'
import { plain } from '../output.ts'
import type { Io } from '../output.ts'

const WARNING = 40
const ERROR = 50

type Line = { level: number; msg?: string; server?: string; err?: { message?: string } }

export function terminalLog(level: string, io: Io): Logger {
  // In a terminal decisions are what is shown; `info` would repeat them.
  const from = level === 'info' ? 'warn' : level
  return makeLog(from, {
    write(text: string) {
      const { level: at, msg = '', server, err } = JSON.parse(text) as Line
      const mark = at >= ERROR ? '\u001b[31m✗\u001b[0m' : at >= WARNING ? '\u001b[33m!\u001b[0m' : '·'
      const more = [server, err?.message].filter((part) => part !== undefined).join(': ')
      io.stderr.write(`${new Date().toTimeString().slice(0, 8)}  ${mark} ${plain(msg)}${more === '' ? '' : ` (${plain(more)})`}\n`)
    },
  })
}
