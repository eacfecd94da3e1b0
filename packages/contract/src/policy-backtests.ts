/** Backtests on the wire: recorded decisions made again, by other policies or by those that made them. */
import { z } from 'zod'
import type { Operations } from './operation.ts'
import { PageQuery, pageOf } from './page.ts'
import { PolicySourceBody } from './policy-analysis.ts'

const Effect = z.enum(['permit', 'hold', 'deny'])
const Said = z.object({ effect: Effect, fault: z.string().optional(), reasons: z.array(z.string()).describe('Ids of policies.') })
const Transitions = z
  .record(z.string(), z.number().int())
  .describe('How many by `permit→deny` and so on; `permit→permit` where only reasons, asks, obligations or risk differ.')
const Skip = z
  .enum(['door', 'unasked', 'older', 'erased', 'corrupt', 'version', 'world'])
  .describe(
    '`door`: an application’s policies decided it. `unasked`: refused before any policy was asked. `older`: made before questions were kept. `erased`: its key was destroyed. `corrupt`: the record was changed. `version`, `world`: what it was pinned to is gone from the store, or was changed there.',
  )

export const BacktestView = z.object({
  id: z.string().describe('`btr_…`'),
  kind: z.enum(['candidate', 'drift']),
  version: z.string().optional().describe('Of the candidate.'),
  by: z.string().describe('`per_…`, or `system` for the check of every night.'),
  agent: z.string().optional(),
  limit: z.number().int().optional(),
  state: z.enum(['running', 'done', 'failed', 'stopped']),
  fault: z.string().optional(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
  entries: z.number().int().describe('Of the ledger, to look through.'),
  done: z.number().int().describe('Of these, so far.'),
  seen: z.number().int().describe('Decisions found among them.'),
  replayed: z.number().int(),
  same: z.number().int().describe('Came out exactly as they were.'),
  transitions: Transitions,
  skipped: z.partialRecord(Skip, z.number().int()),
})
export type BacktestView = z.output<typeof BacktestView>

export const BacktestDetail = BacktestView.extend({
  agents: z.record(z.string(), Transitions).describe('Of what changed.'),
  tools: z.record(z.string(), Transitions),
  changed: z
    .array(z.object({ decision: z.string(), at: z.string(), agent: z.string(), action: z.string(), from: Said, to: Said }))
    .describe('The first 200.'),
  lost: z.array(z.object({ decision: z.string(), skip: Skip })).describe('Whose record or pins are not what they were; the first 200.'),
})
export type BacktestDetail = z.output<typeof BacktestDetail>

const params = z.object({ id: z.string().max(40) })

export const policyBacktestsOperations = {
  startBacktest: {
    method: 'POST',
    path: '/v1/policy/backtests',
    summary: 'Make recorded decisions again with other policies, or check that they still come out as they were',
    tag: 'policy',
    who: 'person',
    body: z.union([
      z.strictObject({
        source: PolicySourceBody,
        since: z.iso.datetime().optional(),
        agent: z.string().max(40).optional(),
        limit: z.number().int().min(1).max(100_000_000).optional().describe('At most so many decisions, from the oldest on.'),
      }),
      z.strictObject({ drift: z.literal(true) }),
    ]),
    response: BacktestDetail,
  },
  listBacktests: {
    method: 'GET',
    path: '/v1/policy/backtests',
    summary: 'Lists backtests, newest first',
    tag: 'policy',
    who: 'person',
    query: PageQuery,
    response: pageOf(BacktestView),
  },
  showBacktest: {
    method: 'GET',
    path: '/v1/policy/backtests/{id}',
    summary: 'Shows how far a backtest is, and what it has found',
    tag: 'policy',
    who: 'person',
    params,
    response: BacktestDetail,
  },
  stopBacktest: {
    method: 'POST',
    path: '/v1/policy/backtests/{id}/stop',
    summary: 'Stops a backtest; what it has found so far stays',
    tag: 'policy',
    who: 'person',
    params,
    response: BacktestDetail,
  },
} satisfies Operations
