/** The rows of approvals, and the guarded changes between their states: each names the state that it starts from. */
import type { Change, Migrations, Store } from '@ephor/engine/kernel'
import { stateAt } from './rules.ts'
import type { Approval, ApprovalAsk, ApprovalState } from './types.ts'

const TENANT = 'default'

export const approvalsMigrations: Migrations = { room: 'approvals', folder: new URL('./migrations/', import.meta.url) }

type Row = {
  tenant: string
  id: string
  state: ApprovalState
  digest: string
  decision: string
  agent: string
  requesters: string
  server: string
  tool: string
  summary: string
  reasons: string
  asks: string
  opened_at: number
  expires_at: number
  decided_by: string | null
  decided_at: number | null
  decided_key: string | null
  decided_request: string | null
  spent_by: string | null
}
type Tables = { approvals_request: Row }

/** Proof that a decision was sent before: hashes of who sent it with which key, and of what. */
export type DecisionKey = { key: string; request: string }

/** An agent that asks without end would wear people out until they approve unread. Pending approvals of one agent at most. */
const MAX_PENDING = 200

const LIVE = ['pending', 'approved'] as const

function toApproval(row: Row, now: number): Approval {
  return {
    id: row.id,
    state: stateAt(row.state, row.expires_at, now),
    digest: row.digest,
    decision: row.decision,
    agent: row.agent,
    requesters: JSON.parse(row.requesters) as string[],
    server: row.server,
    tool: row.tool,
    summary: row.summary,
    reasons: JSON.parse(row.reasons) as Approval['reasons'],
    asks: JSON.parse(row.asks) as ApprovalAsk[],
    openedAt: row.opened_at,
    expiresAt: row.expires_at,
    ...(row.decided_by === null ? {} : { decidedBy: row.decided_by }),
    ...(row.decided_at === null ? {} : { decidedAt: row.decided_at }),
    ...(row.spent_by === null ? {} : { spentBy: row.spent_by }),
  }
}

function query(store: Store) {
  return store.reader<Tables>().selectFrom('approvals_request').selectAll().where('tenant', '=', TENANT)
}

export async function findApproval(store: Store, id: string, now: number): Promise<Approval | undefined> {
  const row = await query(store).where('id', '=', id).executeTakeFirst()
  return row && toApproval(row, now)
}

/** The row that holds the digest's place, overdue or not. */
export async function findLive(store: Store, digest: string, now: number): Promise<Approval | undefined> {
  const row = await query(store).where('digest', '=', digest).where('state', 'in', LIVE).executeTakeFirst()
  return row && toApproval(row, now)
}

export async function findByKey(store: Store, key: string): Promise<{ id: string; request: string | null } | undefined> {
  const row = await query(store).where('decided_key', '=', key).executeTakeFirst()
  return row && { id: row.id, request: row.decided_request }
}

/** What the sweeper has to expire: oldest deadline first. */
export async function listOverdue(store: Store, now: number, limit: number): Promise<Approval[]> {
  const rows = await query(store).where('state', 'in', LIVE).where('expires_at', '<=', now).orderBy('expires_at').limit(limit).execute()
  return rows.map((row) => toApproval(row, now))
}

export async function listApprovals(
  store: Store,
  { state, before, limit }: { state?: ApprovalState | undefined; before?: string | undefined; limit: number },
  now: number,
): Promise<Approval[]> {
  let rows = query(store)
  if (state === 'expired')
    rows = rows.where((where) =>
      where.or([where('state', '=', 'expired'), where.and([where('state', 'in', LIVE), where('expires_at', '<=', now)])]),
    )
  else if (state !== undefined) rows = rows.where('state', '=', state)
  if (state === 'pending' || state === 'approved') rows = rows.where('expires_at', '>', now)
  if (before !== undefined) rows = rows.where('id', '<', before)
  return (await rows.orderBy('id', 'desc').limit(limit).execute()).map((row) => toApproval(row, now))
}

export function insertApproval(approval: Approval): Change {
  return {
    sql: `INSERT INTO approvals_request
      (tenant, id, state, digest, decision, agent, requesters, server, tool, summary, reasons, asks, opened_at, expires_at)
      SELECT ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
      WHERE (SELECT count(*) FROM approvals_request WHERE tenant = ? AND agent = ? AND state = 'pending') < ?`,
    params: [
      TENANT,
      approval.id,
      approval.digest,
      approval.decision,
      approval.agent,
      JSON.stringify(approval.requesters),
      approval.server,
      approval.tool,
      approval.summary,
      JSON.stringify(approval.reasons),
      JSON.stringify(approval.asks),
      approval.openedAt,
      approval.expiresAt,
      TENANT,
      approval.agent,
      MAX_PENDING,
    ],
    rows: 1,
    fault: 'RATE_LIMITED',
  }
}

/** pending → approved or denied, in time, for the digest that the person saw. */
export function markDecided(
  approval: Approval,
  decided: { state: 'approved' | 'denied'; by: string; at: number; key: DecisionKey | undefined },
): Change {
  return {
    sql: `UPDATE approvals_request SET state = ?, decided_by = ?, decided_at = ?, decided_key = ?, decided_request = ?
      WHERE tenant = ? AND id = ? AND state = 'pending' AND digest = ? AND expires_at > ?`,
    params: [
      decided.state,
      decided.by,
      decided.at,
      decided.key?.key ?? null,
      decided.key?.request ?? null,
      TENANT,
      approval.id,
      approval.digest,
      decided.at,
    ],
    rows: 1,
    fault: 'APPROVAL_DECIDED',
  }
}

/** approved → spent, in time, for the digest of the call that uses it. Of several at once, one finds the row approved. */
export function markSpent(id: string, use: { decision: string; digest: string; at: number }): Change {
  return {
    sql: `UPDATE approvals_request SET state = 'spent', spent_by = ?
      WHERE tenant = ? AND id = ? AND state = 'approved' AND digest = ? AND expires_at > ?`,
    params: [use.decision, TENANT, id, use.digest, use.at],
    rows: 1,
    fault: 'APPROVAL_SPENT',
  }
}

/** pending or approved → expired, once overdue. */
export function markExpired(id: string, now: number): Change {
  return {
    sql: `UPDATE approvals_request SET state = 'expired' WHERE tenant = ? AND id = ? AND state IN ('pending', 'approved') AND expires_at <= ?`,
    params: [TENANT, id, now],
    rows: 1,
    fault: 'CONFLICT',
  }
}
