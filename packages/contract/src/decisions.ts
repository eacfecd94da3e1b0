/** Wire shapes of decisions: what was asked, how it was decided and why, and what came of it. */
import { z } from 'zod'
import type { Operations } from './operation.ts'
import { PageQuery, pageOf } from './page.ts'

/** Why a decision is as it is: the policy, and its `@reason` for people and agents. */
export const ReasonView = z.object({ policy: z.string(), text: z.string() })

/** Where an entry stands in the ledger: enough to ask for its inclusion proof. */
export const ReceiptView = z.object({
  origin: z.string().describe('The name of the log, as in its checkpoints.'),
  seq: z.number().int().nonnegative().describe('The index of the leaf.'),
  leafHash: z.string().describe('RFC 6962 leaf hash, hexadecimal.'),
})

export const Effect = z.enum(['permit', 'hold', 'deny'])
export const OutcomeStatus = z
  .enum(['succeeded', 'failed', 'unknown'])
  .describe('`unknown`: the action may or may not have happened, for instance because the tool server died.')

export const ObligationView = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('limit'), count: z.number(), per: z.enum(['minute', 'hour', 'day']), policy: z.string() }),
  z.object({ kind: z.literal('timeout'), ms: z.number(), policy: z.string() }),
  z.object({ kind: z.literal('redact'), category: z.string(), policy: z.string() }),
  z.object({ kind: z.literal('sandbox'), profile: z.string(), policy: z.string() }),
  z.object({ kind: z.literal('log'), level: z.literal('full'), policy: z.string() }),
  z.object({ kind: z.literal('review'), percent: z.number(), policy: z.string() }),
  z.object({ kind: z.literal('witnessed'), count: z.number().optional(), policy: z.string() }),
])

export const RiskView = z.object({
  score: z.number().int().describe('The sum of the points.'),
  tier: z.enum(['low', 'medium', 'high', 'critical']),
  parts: z.array(z.object({ term: z.string(), points: z.number().int(), because: z.string() })),
})

export const DecisionView = z.object({
  id: z.string().describe('`dec_…`'),
  at: z.string().describe('RFC 3339, UTC.'),
  door: z.enum(['mcp', 'api', 'authzen', 'envoy']),
  agent: z.string().describe('`agt_…`'),
  session: z.string(),
  method: z.string().describe('The MCP method, `tools/call` for a tool.'),
  server: z.string(),
  tool: z.string().optional().describe('The tool by the name its server gave it; absent where the registry knows none.'),
  kind: z.string().optional(),
  risk: z.string().optional(),
  effect: Effect,
  fault: z.string().optional().describe('The fault code of a refusal.'),
  detail: z.string().optional().describe('The refusal in words.'),
  reasons: z.array(ReasonView),
  obligations: z.array(ObligationView),
  approval: z.string().optional().describe('The approval that the call waits for, or was permitted with.'),
  policy: z.string().optional().describe('The digest of the policy bundle that decided.'),
  digest: z.string().describe('Binds agent, tool definition, arguments and policy version: what an approval is for.'),
  riskScore: RiskView.optional().describe('By the table of the charter; absent where the call was refused before policies were asked.'),
  budgets: z
    .array(z.object({ budget: z.string(), unit: z.string(), amount: z.number().int().describe('Reserves included.') }))
    .optional()
    .describe('What the permit took of budgets; absent when nothing.'),
  outcome: OutcomeStatus.optional().describe('Absent until the action ended; a refused or held call has none.'),
  outcomeAt: z.string().optional(),
})

export const DecisionDetail = DecisionView.extend({
  receipt: ReceiptView,
  outcomeReceipt: ReceiptView.optional(),
  input: z.json().optional().describe('The exact arguments; absent when their key was destroyed.'),
  result: z.json().optional().describe('What the tool answered.'),
})

export const decisionsOperations = {
  listDecisions: {
    method: 'GET',
    path: '/v1/decisions',
    summary: 'Lists decisions, newest first',
    tag: 'decisions',
    who: 'person',
    query: PageQuery.extend({
      effect: Effect.optional(),
      agent: z.string().max(40).optional(),
      server: z.string().max(64).optional(),
    }),
    response: pageOf(DecisionView),
  },
  showDecision: {
    method: 'GET',
    path: '/v1/decisions/{id}',
    summary: 'Shows one decision with its arguments, reasons, receipt and outcome; an agent sees its own',
    tag: 'decisions',
    who: 'either',
    params: z.object({ id: z.string().max(40) }),
    response: DecisionDetail,
  },
} satisfies Operations
