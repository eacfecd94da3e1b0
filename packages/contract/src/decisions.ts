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
  .enum(['done', 'failed', 'unknown'])
  .describe('`unknown`: nobody could say what the action did, for instance because the tool server died.')

export const DecisionView = z.object({
  id: z.string().describe('`dec_…`'),
  seq: z.number().int().nonnegative(),
  at: z.string().describe('RFC 3339, UTC.'),
  effect: Effect,
  fault: z.string().optional().describe('The fault code of a refusal.'),
  detail: z.string().optional(),
  agent: z.string().describe('`agt_…`'),
  door: z.string().describe('`mcp` or `api`.'),
  method: z.string().describe('The MCP method, `tools/call` for a tool.'),
  server: z.string(),
  name: z.string().describe('The tool, resource or prompt, by the name its server gave it.'),
  session: z.string(),
  onBehalfOf: z.string().optional(),
  approval: z.string().optional().describe('The approval that the call waits for, or was permitted with.'),
  reasons: z.array(ReasonView),
  outcome: z
    .object({
      status: OutcomeStatus,
      isError: z.boolean().optional(),
      fault: z.string().optional(),
      detail: z.string().optional(),
      at: z.string(),
      seq: z.number().int().nonnegative(),
    })
    .optional()
    .describe('Absent until the action ended; a refused or held call has none.'),
})

export const DecisionDetail = DecisionView.extend({
  receipt: ReceiptView,
  entry: z.record(z.string(), z.json()).describe('The body of the ledger entry, as it was hashed.'),
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
