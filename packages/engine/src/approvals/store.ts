/** The rows of approvals, and the guarded changes between their states: each names the state that it starts from. */
import type { Change, Migrations, Store } from '@ephor/engine/kernel'
import { nextPassing, stateAt } from './rules.ts'
import type { Approval, ApprovalState, AskState, Vote } from './types.ts'

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
  decided_at: number | null
  spent_by: string | null
  step: number
  due_at: number | null
}
type VoteRow = {
  tenant: string
  approval: string
  step: number
  person: string
  verdict: Vote['verdict']
  policies: string
  at: number
  key: string | null
  request: string | null
}
type Tables = { approvals_request: Row; approvals_vote: VoteRow }

/** Proof that a vote was sent before: hashes of who sent it with which key, and of what. */
export type VoteKey = { key: string; request: string }

/** An agent that asks without end would wear people out until they approve unread. Pending approvals of one agent at most. */
const MAX_PENDING = 200

const LIVE = ['pending', 'approved'] as const

function toVote({ step, person, verdict, policies, at }: VoteRow): Vote {
  return { step, by: person, verdict, policies: JSON.parse(policies) as string[], at }
}

function toApproval(row: Row, votes: Vote[], now: number): Approval {
  const agreed = votes.filter(({ verdict }) => verdict === 'approve')
  const asks = (JSON.parse(row.asks) as Omit<AskState, 'by'>[]).map((ask): AskState => {
    return { ...ask, by: agreed.filter(({ policies }) => policies.includes(ask.policy)).map(({ by }) => by) }
  })
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
    asks,
    votes,
    step: row.step,
    openedAt: row.opened_at,
    expiresAt: row.expires_at,
    ...(row.decided_at === null ? {} : { decidedAt: row.decided_at }),
    ...(row.spent_by === null ? {} : { spentBy: row.spent_by }),
  }
}

function query(store: Store) {
  return store.reader<Tables>().selectFrom('approvals_request').selectAll().where('tenant', '=', store.tenant)
}

function queryVotes(store: Store) {
  return store.reader<Tables>().selectFrom('approvals_vote').selectAll().where('tenant', '=', store.tenant)
}

/** The rows with their votes. */
async function withVotes(store: Store, rows: Row[], now: number): Promise<Approval[]> {
  const voted = rows.filter(({ step }) => step > 0).map(({ id }) => id)
  const votes = voted.length > 0 ? await queryVotes(store).where('approval', 'in', voted).orderBy('step').execute() : []
  const of = Map.groupBy(votes, ({ approval }) => approval)
  // Votes are only added: those that came between the two reads are the ones after the row's step.
  const seen = (row: Row) => (of.get(row.id) ?? []).filter(({ step }) => step < row.step).map(toVote)
  return rows.map((row) => toApproval(row, seen(row), now))
}

export async function findApproval(store: Store, id: string, now: number): Promise<Approval | undefined> {
  return (await withVotes(store, await query(store).where('id', '=', id).execute(), now))[0]
}

/** Whether its deadline has come and nobody wrote that down yet. */
export async function isOverdue(store: Store, id: string, now: number): Promise<boolean> {
  const row = await query(store).where('id', '=', id).where('state', 'in', LIVE).where('expires_at', '<=', now).executeTakeFirst()
  return row !== undefined
}

/** The row that holds the digest's place, overdue or not. */
export async function findLive(store: Store, digest: string, now: number): Promise<Approval | undefined> {
  const rows = await query(store).where('digest', '=', digest).where('state', 'in', LIVE).execute()
  return (await withVotes(store, rows, now))[0]
}

export async function findByKey(store: Store, key: string): Promise<{ approval: string; request: string | null } | undefined> {
  return queryVotes(store).where('key', '=', key).executeTakeFirst()
}

/** What the sweeper has to expire: oldest deadline first. */
export async function listOverdue(store: Store, now: number, limit: number): Promise<Approval[]> {
  const due = query(store).where('state', 'in', LIVE).where('expires_at', '<=', now).orderBy('expires_at')
  return withVotes(store, await due.limit(limit).execute(), now)
}

/** What the sweeper has to pass on: oldest deadline first. */
export async function listPassing(store: Store, now: number, limit: number): Promise<Approval[]> {
  const due = query(store).where('state', '=', 'pending').where('due_at', '<=', now).where('expires_at', '>', now).orderBy('due_at')
  return withVotes(store, await due.limit(limit).execute(), now)
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
  return withVotes(store, await rows.orderBy('id', 'desc').limit(limit).execute(), now)
}

/** Who voted is in the votes. */
const asksJson = (asks: readonly AskState[]) => JSON.stringify(asks, (key, value: unknown) => (key === 'by' ? undefined : value))

export function insertApproval(approval: Approval): Change {
  return {
    sql: `INSERT INTO approvals_request
      (tenant, id, state, digest, decision, agent, requesters, server, tool, summary, reasons, asks, opened_at, expires_at, due_at)
      SELECT @tenant, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
      WHERE (SELECT count(*) FROM approvals_request WHERE tenant = @tenant AND agent = ? AND state = 'pending') < CAST(? AS BIGINT)`,
    params: [
      approval.id,
      approval.digest,
      approval.decision,
      approval.agent,
      JSON.stringify(approval.requesters),
      approval.server,
      approval.tool,
      approval.summary,
      JSON.stringify(approval.reasons),
      asksJson(approval.asks),
      approval.openedAt,
      approval.expiresAt,
      nextPassing(approval) ?? null,
      approval.agent,
      MAX_PENDING,
    ],
    rows: 1,
    fault: 'RATE_LIMITED',
  }
}

/**
 * pending → pending, approved or denied: in time, for the digest that the person saw, and for no other votes and
 * escalations than `before` has. Of several at once, one finds the row at its step.
 */
export function markVoted(before: Approval, after: Approval, at: number): Change {
  return {
    sql: `UPDATE approvals_request SET state = ?, step = ?, expires_at = ?, due_at = ?, decided_at = ?
      WHERE tenant = @tenant AND id = ? AND state = 'pending' AND digest = ? AND step = ? AND expires_at > ? AND (due_at IS NULL OR due_at > ?)`,
    params: [
      after.state,
      after.step,
      after.expiresAt,
      nextPassing(after) ?? null,
      after.decidedAt ?? null,
      before.id,
      before.digest,
      before.step,
      at,
      at,
    ],
    rows: 1,
    fault: 'CONFLICT',
  }
}

export function insertVote(approval: string, { step, by, verdict, policies, at }: Vote, key: VoteKey | undefined): Change {
  return {
    sql: 'INSERT INTO approvals_vote (tenant, approval, step, person, verdict, policies, at, key, request) VALUES (@tenant, ?, ?, ?, ?, ?, ?, ?, ?)',
    params: [approval, step, by, verdict, JSON.stringify(policies), at, key?.key ?? null, key?.request ?? null],
  }
}

/** pending → pending, with asks passed on: from the step that was seen, once their deadline has come. */
export function markEscalated(before: Approval, after: Approval, now: number): Change {
  return {
    sql: `UPDATE approvals_request SET asks = ?, step = ?, due_at = ?
      WHERE tenant = @tenant AND id = ? AND state = 'pending' AND step = ? AND due_at <= ? AND expires_at > ?`,
    params: [asksJson(after.asks), after.step, nextPassing(after) ?? null, before.id, before.step, now, now],
    rows: 1,
    fault: 'CONFLICT',
  }
}

/** approved → spent, in time, for the digest of the call that uses it. Of several at once, one finds the row approved. */
export function markSpent(id: string, use: { decision: string; digest: string; at: number }): Change {
  return {
    sql: `UPDATE approvals_request SET state = 'spent', spent_by = ?
      WHERE tenant = @tenant AND id = ? AND state = 'approved' AND digest = ? AND expires_at > ?`,
    params: [use.decision, id, use.digest, use.at],
    rows: 1,
    fault: 'APPROVAL_SPENT',
  }
}

/** pending or approved → expired, once overdue. */
export function markExpired(id: string, now: number): Change {
  return {
    sql: `UPDATE approvals_request SET state = 'expired' WHERE tenant = @tenant AND id = ? AND state IN ('pending', 'approved') AND expires_at <= ?`,
    params: [id, now],
    rows: 1,
    fault: 'CONFLICT',
  }
}

/** pending or approved → expired, before its time. */
export function markWithdrawn(id: string, now: number): Change {
  return {
    sql: `UPDATE approvals_request SET state = 'expired', expires_at = ?
      WHERE tenant = @tenant AND id = ? AND state IN ('pending', 'approved') AND expires_at > ?`,
    params: [now, id, now],
    rows: 1,
    fault: 'CONFLICT',
  }
}
