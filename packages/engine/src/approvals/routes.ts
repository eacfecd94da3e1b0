/** Approvals over HTTP: what waits for a person, with the exact arguments, and the person's vote. */
import { createHash } from 'node:crypto'
import { approvalsOperations, Fault } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { dueAt, groupOf } from './rules.ts'
import type { Approval, Approvals } from './types.ts'

function viewOf(approval: Approval) {
  const { openedAt, expiresAt, decidedAt, asks, votes, step: _, ...rest } = approval
  return {
    ...rest,
    asks: asks.map((ask) => {
      const { policy, reason, quorum, escalate, escalated, by } = ask
      const group = groupOf(ask)
      return {
        policy,
        reason,
        quorum,
        ...(group === undefined ? {} : { group }),
        ...(escalate === undefined || escalated ? {} : { escalate }),
        escalated,
        by,
        until: isoTime(dueAt(openedAt, ask)),
      }
    }),
    decidedBy: [...new Set(votes.map(({ by }) => by))],
    openedAt: isoTime(openedAt),
    expiresAt: isoTime(expiresAt),
    ...(decidedAt === undefined ? {} : { decidedAt: isoTime(decidedAt) }),
  }
}

const notesOf = ({ votes }: Approval) => votes.flatMap(({ by, note }) => (note === undefined ? [] : [{ by, text: note }]))

/** Changes with what is asked, with each vote and escalation, and with what became of it. */
function etagOf({ id, digest, state, step }: Approval): string {
  return `"${createHash('sha256').update(`${id} ${digest} ${state} ${step}`).digest('base64url').slice(0, 22)}"`
}

/** @throws Fault PRECONDITION_FAILED when the client saw another state than there is (RFC 9110 section 13.1.1). */
function requireMatch(request: FastifyRequest, etag: string): void {
  const { 'if-match': wanted } = request.headers
  if (wanted === undefined || wanted === '*') return
  if (!wanted.split(',').some((one) => one.trim() === etag)) throw new Fault('PRECONDITION_FAILED', 'the approval changed since you saw it')
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
        return { ...viewOf(approval), notes: notesOf(approval), ...(await approvals.callOf(approval)) }
      },
      async decideApproval({ params, body: { verdict, digest, note }, principal, request, reply }) {
        const approval = await approvals.decide(params.id, principal, {
          verdict,
          digest,
          ...(note === undefined ? {} : { note }),
          ...idempotencyKey(request),
          expect: (current) => requireMatch(request, etagOf(current)),
        })
        reply.header('etag', etagOf(approval))
        return { ...viewOf(approval), notes: notesOf(approval) }
      },
    },
    authenticate,
  )
}
