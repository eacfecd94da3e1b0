/** `ephor policy backtest`: what other policies would have decided, and whether those in force still decide as they did. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { Fault, FAULTS } from '@ephor/contract'
import type { BacktestDetail, FaultCode, PolicySource } from '@ephor/contract'
import type { CommonOptions, Connection } from '../connection.ts'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { json, line } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { differencesOf, showBacktest } from './backtest-text.ts'
import { policySource } from './policy-source.ts'
import { since } from './since.ts'

type Options = CommonOptions & { drift?: boolean; since?: string; agent?: string; limit?: number }

const POLL_MS = 300

function count(text: string): number {
  if (!/^[1-9]\d{0,7}$/.test(text)) throw new InvalidArgumentError('write a whole number from 1 on')
  return Number(text)
}

async function sourceOf(io: Io, { client, settings }: Connection, given: string | undefined): Promise<PolicySource> {
  if (given?.startsWith('prp_') === true) return { version: (await client.showProposal({ params: { id: given } })).version }
  return policySource(io, given ?? settings.policyFolder).source
}

/** Shows how far it is until it has ended. Whoever interrupts this leaves it running. */
async function follow(io: Io, { client }: Connection, started: BacktestDetail): Promise<BacktestDetail> {
  let run = started
  while (run.state === 'running') {
    await pause(POLL_MS)
    run = await client.showBacktest({ params: { id: run.id } })
    if (io.stderr.isTTY) io.stderr.write(`\r${run.id}: ${run.done} of ${run.entries} entries, ${run.replayed} decisions  `)
  }
  if (io.stderr.isTTY) io.stderr.write('\n')
  return run
}

async function backtest(io: Io, connection: Connection, options: Options, given: string | undefined): Promise<void> {
  const { drift, since: from, agent, limit } = options
  if (drift && (given ?? from ?? agent ?? limit) !== undefined)
    throw new Fault('REQUEST_INVALID', '--drift looks at every decision with the policies that made it; leave the rest out')
  const narrowed = { ...(from && { since: from }), ...(agent && { agent }), ...(limit !== undefined && { limit }) }
  const body = drift ? { drift: true as const } : { source: await sourceOf(io, connection, given), ...narrowed }
  const run = await follow(io, connection, await connection.client.startBacktest({ body, idempotencyKey: crypto.randomUUID() }))
  if (options.json) json(io, run)
  else showBacktest(io, run)
  if (run.fault !== undefined) throw new Fault(run.fault in FAULTS ? (run.fault as FaultCode) : 'INTERNAL', `${run.id} failed`)
  if (run.state !== 'done' || (drift && differencesOf(run) > 0)) throw new ExitCode(EXIT.failed)
}

export function addBacktest(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('backtest')
      .argument('[source]', 'a folder, a version (sha256:…), a proposal (prp_…) or active; the policy folder unless said')
      .description('make recorded decisions again with other policies, and say what would change; changes nothing')
      .option('--since <time>', 'only decisions of the last 90m, 24h or 7d', since)
      .option('--agent <id>', 'only decisions about this agent')
      .option('--limit <n>', 'at most so many decisions, from the oldest on', count)
      .option('--drift', 'make every decision since the last clean check again with its own policies; exits with 1 when one differs'),
  )
  verb.action(served(io, (connection, options: Options, given?: string) => backtest(io, connection, options, given)))
  examples(verb, 'policy backtest ./policies --since 7d', 'policy backtest prp_01kf… --json', 'policy backtest --drift')

  const list = withServer(
    policy
      .command('backtests')
      .argument('[id]', 'btr_…: show this one')
      .description('list backtests and checks for drift, newest first')
      .option('--stop', 'stop it; what it has found so far stays'),
  )
  list.action(
    served(io, async ({ client }, options: CommonOptions & { stop?: boolean }, id?: string) => {
      if (id === undefined) {
        const page = await client.listBacktests({ query: { limit: '50' } })
        if (options.json) return json(io, page)
        for (const { id: one, kind, state, startedAt, replayed, same } of page.items)
          line(io, `${one}  ${startedAt}  ${kind.padEnd(9)}  ${state.padEnd(7)}  ${same} of ${replayed} the same`)
        return
      }
      const run = options.stop ? await client.stopBacktest({ params: { id } }) : await client.showBacktest({ params: { id } })
      if (options.json) json(io, run)
      else showBacktest(io, run)
    }),
  )
  examples(list, 'policy backtests', 'policy backtests btr_01kf… --stop')
}
