/** Approvals over HTTP: what waits for a person, with the exact arguments, and the person's decision. */
import { createHash } from 'node:crypto'
import { approvalsOperations, Fault } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Approval, Approvals } from './types.ts'

function viewOf(approval: Approval) {
  const { openedAt, expiresAt, decidedAt, note: _, ...rest } = approval
  return {
    ...rest,
    openedAt: isoTime(openedAt),
    expiresAt: isoTime(expiresAt),
    ...(decidedAt === undefined ? {} : { decidedAt: isoTime(decidedAt) }),
  }
}

const noteOf = ({ note }: Approval) => (note === undefined ? {} : { note })

/** Changes with what is asked and with what became of it. */
function etagOf({ id, digest, state }: Approval): string {
  return `"${createHash('sha256').update(`${id} ${digest} ${state}`).digest('base64url').slice(0, 22)}"`
}

/** @throws Fault PRECONDITION_FAILED when the client saw another state than there is (RFC 9110 section 13.1.1). */
function requireMatch(request: FastifyRequest, etags: readonly string[]): void {
  const { 'if-match': wanted } = request.headers
  if (wanted === undefined || wanted === '*') return
  if (!wanted.split(',').some((one) => etags.includes(one.trim())))
    throw new Fault('PRECONDITION_FAILED', 'the approval changed since you saw it')
}

function idempotencyKey(request: FastifyRequest): { idempotencyKey?: string } {
  const { 'idempotency-key': key } = request.headers
  if (key === undefined) return {}
  if (typeof key !== 'string' || key.length === 0 || key.length > 200)
    throw new Fault('REQUEST_INVALID', 'an Idempotency-Key has 1 to 200 characters', { where: 'header/idempotency-key' })
  return { idempotencyKey: key }
}

export function mountApprovals(app: FastifyInstance, approvals: Approvals, authenticate: Authenticate): void {
  async function get(id: string): Promise<Approval> {
    const approval = await approvals.find(id)
    if (!approval) throw new Fault('APPROVAL_UNKNOWN', `no approval ${id}`)
    return approval
  }

  mount(
    app,
    approvalsOperations,
    {
      async listApprovals({ query: { state, cursor, limit } }) {
        const page = await approvals.list({ limit, ...(state ? { state } : {}), ...(cursor ? { cursor } : {}) })
        return { ...page, items: page.items.map(viewOf) }
      },
      async showApproval({ params, reply }) {
        const approval = await get(params.id)
        reply.header('etag', etagOf(approval)).header('cache-control', 'no-store')
        return { ...viewOf(approval), ...noteOf(approval), ...(await approvals.callOf(approval)) }
      },
      async decideApproval({ params, body: { verdict, digest, note }, principal, request, reply }) {
        const key = idempotencyKey(request)
        const current = await get(params.id)
        // A request that is sent again still names the state that it ended: that it was answered is for `decide` to find.
        requireMatch(request, [etagOf(current), ...('idempotencyKey' in key ? [etagOf({ ...current, state: 'pending' })] : [])])
        const said = { verdict, digest, ...(note === undefined ? {} : { note }), ...key }
        const approval = await approvals.decide(params.id, principal, said)
        reply.header('etag', etagOf(approval))
        return { ...viewOf(approval), ...noteOf(approval) }
      },
    },
    authenticate,
  )
}
