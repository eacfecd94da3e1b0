/** Wire shapes of policy versions: proposals with their reviews, what is tried beside the active version, and the way back. */
import { z } from 'zod'
import type { Operations } from './operation.ts'
import { PageQuery, pageOf } from './page.ts'
import { BacktestView } from './policy-backtests.ts'
import { PolicyFinding } from './policy.ts'

const Version = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'a version is sha256: and 64 hexadecimal digits')
const Files = z
  .record(z.string().min(1).max(120), z.string().max(256 * 1024))
  .refine((files) => Object.keys(files).length <= 200, 'at most 200 files')
  .describe('The whole folder, texts by file name: policies, tests and the charter.')
const Words = z.string().trim().min(1).max(4000)
const Percent = z.number().int().min(1).max(100)

export const ProposalState = z.enum(['open', 'approved', 'rejected', 'shadow', 'canary', 'promoted', 'rolled-back', 'withdrawn'])
export type ProposalState = z.output<typeof ProposalState>

export const ProposalView = z.object({
  id: z.string().describe('`prp_…`'),
  version: Version,
  base: Version.optional().describe('What was active when it was proposed. When something else is active, it has to be proposed again.'),
  author: z.string().describe('`per_…`, or `folder` when the policy folder was changed.'),
  changes: z.array(z.enum(['policy', 'charter'])).describe('What it changes; each asks for its own authority of the charter.'),
  state: ProposalState,
  openedAt: z.iso.datetime(),
  changedAt: z.iso.datetime(),
  percent: z.number().int().optional().describe('Of sessions, while it is a canary.'),
})
export type ProposalView = z.output<typeof ProposalView>

export const TestReport = z.object({
  cases: z.number().int(),
  failed: z.array(z.object({ file: z.string(), name: z.string(), detail: z.string() })),
})

export const ProposalDetail = ProposalView.extend({
  why: z.string().optional(),
  impact: z.string().optional().describe('What the author expects of it.'),
  files: z.array(z.object({ name: z.string(), change: z.enum(['added', 'changed', 'removed']), before: z.string(), after: z.string() })),
  findings: z.array(PolicyFinding).describe('Ephor’s own, when it was proposed.'),
  tests: TestReport.describe('Ephor’s own run, when it was proposed.'),
  analysis: z.json().optional().describe('As the author attached it.'),
  backtest: z.json().optional().describe('As the author attached it.'),
  ownBacktest: BacktestView.optional().describe('Ephor’s own, the last whole one of this version.'),
  reviews: z.array(
    z.object({ person: z.string(), verdict: z.enum(['approve', 'reject']), at: z.iso.datetime(), note: z.string().optional() }),
  ),
  waitsFor: z
    .array(z.object({ code: z.string(), detail: z.string() }))
    .describe('What keeps it from being published now; empty when nothing does.'),
})

export const RolloutView = z.object({
  active: Version.optional(),
  governor: Version.optional().describe('The version whose charter says who may change policies; absent when the folder changes them.'),
  trial: z
    .object({
      proposal: z.string().optional(),
      version: Version,
      mode: z.enum(['shadow', 'canary']),
      percent: z.number().int(),
      observedMs: z.object({ shadow: z.number(), canary: z.number() }).describe('How long it was tried, while Ephor ran.'),
      decisions: z.number().int().describe('Calls that both versions were asked.'),
      active: z.record(z.string(), z.number()).describe('What the active version said of them: permit, hold, deny, error.'),
      tried: z.record(z.string(), z.number()).describe('What this version said of the same calls.'),
      escalated: z.number().int().describe('Held by this version, permitted by the active one.'),
      p99Ms: z.number().optional().describe('99 of 100 of its decisions took at most this long.'),
      rules: z
        .array(z.object({ rule: z.string(), figure: z.number(), limit: z.number(), broken: z.boolean() }))
        .describe('What would end the trial by itself.'),
      differences: z.array(
        z.object({
          agent: z.string(),
          action: z.string(),
          active: z.string(),
          tried: z.string(),
          policies: z.array(z.string()).describe('Why this version says so.'),
          count: z.number().int(),
          lastAt: z.iso.datetime(),
        }),
      ),
    })
    .optional(),
})

const params = z.object({ id: z.string().max(40).describe('`prp_…`') })
const common = { tag: 'policy', who: 'person' } as const

export const policyVersionsOperations = {
  proposePolicy: {
    ...common,
    method: 'POST',
    path: '/v1/policy/proposals',
    summary: 'Proposes policies: they are checked and tested, and decide nothing until they are published',
    body: z.strictObject({
      files: Files,
      why: Words,
      impact: Words.optional(),
      analysis: z.json().optional(),
      backtest: z.json().optional(),
    }),
    status: 201,
    response: ProposalDetail,
  },
  listProposals: {
    ...common,
    method: 'GET',
    path: '/v1/policy/proposals',
    summary: 'Lists proposals, newest first',
    query: PageQuery.extend({ state: ProposalState.optional() }),
    response: pageOf(ProposalView),
  },
  showProposal: {
    ...common,
    method: 'GET',
    path: '/v1/policy/proposals/{id}',
    summary: 'Shows a proposal with its texts, results and reviews, and what it waits for',
    params,
    response: ProposalDetail,
  },
  reviewProposal: {
    ...common,
    method: 'POST',
    path: '/v1/policy/proposals/{id}/reviews',
    summary: 'Approves or rejects a proposal, as the person who is signed in; a rejection ends it',
    params,
    // Strict: who reviews is who is signed in, whatever a body says.
    body: z.strictObject({
      verdict: z.enum(['approve', 'reject']),
      version: Version.describe('What you saw; CONFLICT when the proposal is of another version.'),
      note: Words.optional().describe('Free text; kept encrypted.'),
    }),
    response: ProposalDetail,
  },
  publishProposal: {
    ...common,
    method: 'POST',
    path: '/v1/policy/proposals/{id}/publish',
    summary: 'Takes a proposal live: beside the active version, for a part of the sessions, or at once; again with more per cent',
    params,
    body: z
      .strictObject({ mode: z.enum(['shadow', 'canary', 'active']), percent: Percent.optional() })
      .refine(({ mode, percent }) => (mode === 'canary') === (percent !== undefined), {
        message: 'a canary, and nothing else, has a percentage',
        path: ['percent'],
      }),
    response: ProposalDetail,
  },
  promoteProposal: {
    ...common,
    method: 'POST',
    path: '/v1/policy/proposals/{id}/promote',
    summary: 'Makes the version that is tried the active one',
    params,
    response: ProposalDetail,
  },
  withdrawProposal: {
    ...common,
    method: 'POST',
    path: '/v1/policy/proposals/{id}/withdraw',
    summary: 'Withdraws a proposal that is not promoted; ends its trial',
    params,
    response: ProposalDetail,
  },
  rollbackPolicy: {
    ...common,
    method: 'POST',
    path: '/v1/policy/rollback',
    summary: 'Ends the trial; without one, makes an earlier active version active again. Needs no review',
    body: z.strictObject({ to: Version.optional().describe('The one before, unless given.'), why: Words }),
    response: z.object({
      from: Version.optional(),
      to: Version.optional(),
      ended: z.string().optional().describe('The proposal that ended.'),
    }),
  },
  listPolicyVersions: {
    ...common,
    method: 'GET',
    path: '/v1/policy/versions',
    summary: 'Lists what was active, newest first',
    query: z.object({ limit: z.coerce.number().int().min(1).max(500).default(50) }),
    response: z.object({
      items: z.array(z.object({ activation: z.number().int(), version: Version, activatedAt: z.iso.datetime(), active: z.boolean() })),
    }),
  },
  showRollout: {
    ...common,
    method: 'GET',
    path: '/v1/policy/rollout',
    summary: 'Shows what is tried beside the active version: counts, differences, and what would end the trial',
    response: RolloutView,
  },
} satisfies Operations
