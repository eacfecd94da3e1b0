/** Starts an appending process, with whatever makes its system calls fail, and hears what it was told. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Line } from './appender.ts'
import type { Acknowledged, Place } from './ledger-world.ts'

export type Appender = ReturnType<typeof runAppender>

export function runAppender({ home, keys, url = '' }: Place, run: string, environment: Record<string, string> = {}) {
  const program = join(import.meta.dirname, 'appender.ts')
  const child = spawn(process.execPath, [program, home, run, url, ...(keys === undefined ? [] : [keys])], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', ...environment },
  })
  const acknowledged: (Acknowledged & { at: number })[] = []
  const refused: string[] = []
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (text) => {
    const line = JSON.parse(text) as Line
    if ('refused' in line) refused.push(line.refused)
    else acknowledged.push(line)
  })
  const closed = once(lines, 'close')
  const exited = once(child, 'exit')
  const isOver = () => child.exitCode !== null || child.signalCode !== null

  return {
    acknowledged,
    refused,
    errors: () => errors,
    signal: (signal: NodeJS.Signals) => void child.kill(signal),
    exited,
    /** Until so many are acknowledged. @throws when the process ends before, or it takes longer than `ms` */
    async reached(count: number, ms = 12_000): Promise<void> {
      for (const end = Date.now() + ms; acknowledged.length < count; await new Promise((resolve) => setTimeout(resolve, 10)))
        if (isOver() || Date.now() > end) throw new Error(`${acknowledged.length} of ${count} were acknowledged. ${errors}`)
    },
    /** kill -9 */
    async kill(): Promise<void> {
      if (!isOver()) child.kill('SIGKILL')
      await Promise.all([closed, exited])
    },
  }
}
