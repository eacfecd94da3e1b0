/** `ephor policy eval`: decides what stands on stdin, a line each, as the official Cedar engine would. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import type { Io } from '../output.ts'
import { examples } from '../verb.ts'
import { evaluateLines } from './evaluate-lines.ts'

export function addEval(policy: Command, io: Io): void {
  const command = policy.command('eval').option('--ndjson', 'one JSON object a line on stdin, one answer a line on stdout')
  command.description('decide Cedar policies as the official engine would; needs no server')
  examples(
    command,
    `policy eval --ndjson <<< '{"policies":"permit(principal, action, resource);","entities":[],"request":{"principal":"User::\\"ada\\"","action":"Action::\\"read\\"","resource":"File::\\"a\\"","context":{}}}'`,
    'policy eval --ndjson < questions.ndjson > answers.ndjson',
  )
  command.action(async ({ ndjson }: { ndjson?: true }) => {
    if (!ndjson) throw new Fault('REQUEST_INVALID', 'policy eval reads lines of JSON only: add --ndjson, and give them on stdin')
    if (process.stdin.isTTY) io.stderr.write('Type or paste lines of JSON, then Enter and Ctrl-D:\n')
    if (!(await evaluateLines(process.stdin, process.stdout))) throw new ExitCode(EXIT.failed)
  })
}
