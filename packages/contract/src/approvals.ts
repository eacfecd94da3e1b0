/** Wire shapes of approvals: what waits for a person, and the person's decision. */
import { z } from 'zod'
import { ReasonView } from './decisions.ts'
import type { Operations } from './operation.ts'
import { PageQuery, pageOf } from './page.ts'

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'a digest is sha256: and 64 hexadecimal digits')

export const ApprovalState = z.enum(['pending', 'approved', 'denied', 'expired', 'spent'])

export const ApprovalView = z.object({
  id: z.string().describe('`apr_…`: the handle that the call is repeated with.'),
  state: ApprovalState.describe('`spent`: approved and used. An approval that nobody decided or used in time is `expired`.'),
  digest: Digest.describe(
    'What exactly is approved: agent, tool definition, arguments and policy version. Send it back with the decision.',
  ),
  decision: z.string().describe('`dec_…`: the decision that held the call.'),
  agent: z.string().describe('`agt_…`'),
  requesters: z.array(z.string()).describe('`per_…`: on whose behalf the call is made; they may not decide.'),
  server: z.string(),
  tool: z.string().describe('The name that the tool server itself uses.'),
  summary: z.string(),
  reasons: z.array(ReasonView),
  asks: z
    .array(z.object({ policy: z.string(), reason: z.string(), group: z.string().optional(), quorum: z.number() }))
    .describe('What the policies ask for, all of it; with a group, only its members decide.'),
  openedAt: z.string().describe('RFC 3339, UTC.'),
  expiresAt: z.string().describe('The deadline of the decision and of its use.'),
  decidedBy: z.string().optional().describe('`per_…`'),
  decidedAt: z.string().optional(),
  spentBy: z.string().optional().describe('`dec_…`: the decision that used it.'),
})

export const ApprovalDetail = ApprovalView.extend({
  name: z.string().describe('What is called: the tool or prompt by its server’s own name, or the URI of the resource.'),
  arguments: z.json().describe('The exact arguments of the held call, opened from the ledger.'),
  onBehalfOf: z.string().optional().describe('For whom the agent says that it acts; unproven.'),
  note: z.string().optional().describe('What the person wrote.'),
})

// Strict: a body that tries to say who decides is refused. Who decides is who is signed in.
const VerdictRequest = z.strictObject({
  verdict: z.enum(['approve', 'deny']),
  digest: Digest.describe('The digest of what you saw; CONFLICT when it is not this approval’s.'),
  note: z.string().trim().min(1).max(2000).optional().describe('Free text; kept encrypted. The agent is shown the note of a denial.'),
})

const params = z.object({ id: z.string().max(40).describe('`apr_…`') })

export const approvalsOperations = {
  listApprovals: {
    method: 'GET',
    path: '/v1/approvals',
    summary: 'Lists approvals, newest first',
    tag: 'approvals',
    who: 'person',
    query: PageQuery.extend({ state: ApprovalState.optional() }),
    response: pageOf(ApprovalView),
  },
  showApproval: {
    method: 'GET',
    path: '/v1/approvals/{id}',
    summary: 'Shows what is asked, with the exact arguments; the ETag goes with the decision as If-Match',
    tag: 'approvals',
    who: 'person',
    params,
    response: ApprovalDetail,
  },
  decideApproval: {
    method: 'POST',
    path: '/v1/approvals/{id}/decision',
    summary: 'Approves or denies the held call, as the person who is signed in',
    tag: 'approvals',
    who: 'person',
    params,
    body: VerdictRequest,
    response: ApprovalView.extend({ note: z.string().optional() }),
  },
} satisfies Operations
