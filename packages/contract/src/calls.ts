/** Wire shapes of the two-step call for enforcement points that run an action themselves: ask, then report. */
import { z } from 'zod'
import { ObligationView, OutcomeStatus, ReasonView, ReceiptView } from './decisions.ts'
import type { Operations } from './operation.ts'

/** `server/tool`: server names hold no slash, so the first one divides. */
const ToolName = z
  .string()
  .max(300)
  .regex(/^[a-z0-9][a-z0-9-]{0,40}\/.+$/su, 'name the tool as server/tool')
  .describe('The tool as `server/tool`.')

const CallRequest = z.strictObject({
  tool: ToolName,
  input: z.record(z.string(), z.json()).describe('The exact arguments that will be used.'),
  session: z.string().max(200).optional().describe('What shares labels and limits; without one, all calls of the credential do.'),
  onBehalfOf: z.string().max(200).optional().describe('The person that the agent says it acts for; a statement, not a proof.'),
  parents: z.array(z.string().max(40)).max(16).optional().describe('Decisions whose results led to this call.'),
  approval: z.string().max(40).optional().describe('The handle of an approval, when a held call is repeated.'),
})

const common = { decision: z.string().describe('`dec_…`'), receipt: ReceiptView, reasons: z.array(ReasonView) }

const CallAnswer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('permitted'),
    ...common,
    obligations: z.array(ObligationView),
    warrant: z.string().describe('A signed statement (JWS) that this exact call may be made, once, until `deadline`.'),
    deadline: z.string().describe('Report the outcome before this time, or it is sealed as `unknown`.'),
  }),
  z.object({
    kind: z.literal('held'),
    ...common,
    approval: z.object({ id: z.string(), expiresAt: z.string() }).describe('Repeat the same call with this id in `approval`.'),
  }),
  z.object({ kind: z.literal('refused'), ...common, fault: z.string(), detail: z.string() }),
])

const OutcomeReport = z.strictObject({
  status: OutcomeStatus,
  result: z.json().optional().describe('What the action answered; kept encrypted.'),
  tokens: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional().describe('Of a language model, that the action used.'),
})

export const callsOperations = {
  askCall: {
    method: 'POST',
    path: '/v1/calls',
    summary: 'Asks whether an action may be made; the answer is durable before it is given',
    tag: 'calls',
    who: 'agent',
    body: CallRequest,
    response: CallAnswer,
  },
  reportOutcome: {
    method: 'POST',
    path: '/v1/calls/{id}/outcome',
    summary: 'Reports what came of a permitted action',
    tag: 'calls',
    who: 'agent',
    params: z.object({ id: z.string().max(40).describe('The decision, `dec_…`.') }),
    body: OutcomeReport,
    response: z.object({ decision: z.string(), status: OutcomeStatus, receipt: ReceiptView }),
  },
} satisfies Operations
