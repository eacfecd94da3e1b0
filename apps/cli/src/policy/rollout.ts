/** `ephor policy rollout`: how the version that is tried differs from the active one, and the next step. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { OperationResponse, policyVersionsOperations } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { ago, facts, json, line, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { percent } from './percent.ts'
import { short } from './proposal-text.ts'

type Rollout = OperationResponse<typeof policyVersionsOperations.showRollout>
type Options = CommonOptions & { percent?: number; promote?: boolean; watch?: boolean }

const WATCH_MS = 2000
const number = (figure: number) => String(Math.round(figure * 1000) / 1000)

function show(io: Io, { active, governor, trial }: Rollout): void {
  facts(io, [
    ['active', active ?? 'none'],
    ['charter of', governor ?? 'nobody: the policy folder is active as it is'],
  ])
  if (!trial) return line(io, 'No version is tried beside it.')
  const { mode, decisions, tried, escalated, rules, differences, observedMs } = trial
  facts(io, [
    ['tried', `${trial.version} (${mode === 'shadow' ? 'shadow' : `canary ${trial.percent}%`})`],
    ['proposal', trial.proposal],
    ['watched', `${Math.round(observedMs.shadow / 60_000)} min in shadow, ${Math.round(observedMs.canary / 60_000)} min as a canary`],
    ['decisions', `${decisions} by both, ${escalated} held that are permitted now`],
    ['p99', trial.p99Ms === undefined ? undefined : `${trial.p99Ms} ms at most`],
  ])
  const effects = ['permit', 'hold', 'deny', 'error'].map((effect) => ({ effect, active: trial.active[effect], tried: tried[effect] }))
  table(
    io,
    effects,
    [
      ['effect', (row) => row.effect],
      [short(active), (row) => row.active],
      [short(trial.version), (row) => row.tried],
    ],
    '',
  )
  table(
    io,
    rules,
    [
      ['ends the trial', ({ rule }) => rule],
      ['is', ({ figure }) => number(figure)],
      ['limit', ({ limit }) => number(limit)],
      ['', ({ broken }) => (broken ? 'broken' : 'kept')],
    ],
    '',
  )
  const now = Date.now()
  table(
    io,
    differences,
    [
      ['calls', ({ count }) => count],
      ['agent', ({ agent }) => agent],
      ['action', ({ action }) => action],
      ['now', (row) => row.active],
      ['then', (row) => row.tried],
      ['last', ({ lastAt }) => ago(lastAt, now)],
      ['because of', ({ policies }) => policies],
    ],
    'Both said the same of every call so far.',
  )
}

export function addRollout(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('rollout')
      .description('show the version that is tried beside the active one, or take its next step')
      .option('--percent <percent>', 'let it decide for this part of the sessions', percent)
      .option('--promote', 'make it the active version')
      .option('--watch', 'show it again and again until the trial ends'),
  )
  verb.action(
    served(io, async ({ client }, options: Options) => {
      let rollout = await client.showRollout()
      if (options.promote || options.percent !== undefined) {
        if (options.promote && options.percent !== undefined) throw new Fault('REQUEST_INVALID', 'either --percent or --promote')
        const id = rollout.trial?.proposal
        if (id === undefined) throw new Fault('NOT_FOUND', 'no version is tried: ephor policy publish')
        const again = { params: { id }, idempotencyKey: crypto.randomUUID() }
        if (options.percent === undefined) await client.promoteProposal(again)
        else await client.publishProposal({ ...again, body: { mode: 'canary', percent: options.percent } })
        rollout = await client.showRollout()
      }
      for (;;) {
        if (options.json) json(io, rollout)
        else show(io, rollout)
        if (!options.watch || !rollout.trial) return
        await pause(WATCH_MS)
        rollout = await client.showRollout()
        if (!options.json) line(io, '')
      }
    }),
  )
  examples(verb, 'policy rollout --watch', 'policy rollout --percent 50', 'policy rollout --promote')
}
