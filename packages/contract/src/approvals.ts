/** Wire shapes of approvals: what waits for a person, and people's votes. */
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
    .array(
      z.object({
        policy: z.string(),
        reason: z.string(),
        quorum: z.number().describe('How many different people have to agree.'),
        group: z.string().optional().describe('Whose members decide now; anyone when absent.'),
        escalate: z.string().optional().describe('The group that takes over at `until`.'),
        escalated: z.boolean().describe('It was passed on already.'),
        by: z.array(z.string()).describe('`per_…`: who has agreed.'),
        until: z.string().describe('Until when those who decide now may do so.'),
      }),
    )
    .describe('What the policies ask for. It is approved when every ask has its quorum; one denial ends it.'),
  openedAt: z.string().describe('RFC 3339, UTC.'),
  expiresAt: z.string().describe('When it ends unless it is decided, and once approved, used.'),
  decidedBy: z.array(z.string()).describe('`per_…`: everyone who has voted, in their order; of a denied one, the last said no.'),
  decidedAt: z.string().optional(),
  spentBy: z.string().optional().describe('`dec_…`: the decision that used it.'),
})

const Notes = z.array(z.object({ by: z.string().describe('`per_…`'), text: z.string() })).describe('What people wrote with their votes.')

export const ApprovalDetail = ApprovalView.extend({
  name: z.string().describe('What is called: the tool or prompt by its server’s own name, or the URI of the resource.'),
  arguments: z.json().describe('The exact arguments of the held call, opened from the ledger.'),
  onBehalfOf: z.string().optional().describe('For whom the agent says that it acts; unproven.'),
  notes: Notes,
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
    summary: 'Votes on the held call, as the person who is signed in',
    tag: 'approvals',
    who: 'person',
    params,
    body: VerdictRequest,
    response: ApprovalView.extend({ notes: Notes }),
  },
} satisfies Operations
