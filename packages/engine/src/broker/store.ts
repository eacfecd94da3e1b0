/** The broker's own table: decisions as lists, events and recovery need them. */
import { createHash, hash } from 'node:crypto'
import type { FaultCode } from '@ephor/contract'
import type { Change, Store } from '@ephor/engine/kernel'
import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { DecisionRow, Door, OutcomeStatus } from './types.ts'

type DecisionTable = {
  tenant: string
  id: string
  at: number
  door: Door
  agent: string
  session: string
  method: string
  server: string
  tool: string | null
  kind: string | null
  risk: string | null
  effect: DecisionRow['effect']
  fault: FaultCode | null
  detail: string | null
  reasons: string
  obligations: string
  approval: string | null
  policy: string | null
  digest: string
  risk_score: string | null
  spends: string | null
  idempotency: string | null
  deadline: number | null
  outcome: OutcomeStatus | null
  outcome_at: number | null
}
type Tables = {
  broker_decision: DecisionTable
  broker_permitted: { tenant: string; agent: string; server: string; tool: string }
}

/** A row with what only recovery and repeated requests need. */
export type StoredDecision = DecisionRow & { idempotency: string | undefined; deadline: number | undefined }

/** The key as it is stored: the agent's own, so that no agent can find another's answers. */
export function idempotencyOf(agent: string, key: string | undefined): string | undefined {
  return key === undefined ? undefined : createHash('sha256').update(`${agent}\n${key}`).digest('hex')
}

const INSERT = `INSERT INTO broker_decision (tenant, id, at, door, agent, session, method, server, tool, kind, risk, effect, fault, detail,
  reasons, obligations, approval, policy, digest, idempotency, deadline, risk_score, spends)
  VALUES (@tenant, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

/** The columns that no entry says in its own words, in the order in which `digestOfTexts` takes them. */
type RowTexts = { at: number; reasons: string; risk_score: string | null; idempotency: string | null; detail: string | null }

/**
 * What the entry says of them: SHA-256, base64url. Decisions are many, so the texts are hashed as they are written; of those
 * that may have line breaks there is one, and it comes last.
 */
export function digestOfTexts({ at, reasons, risk_score: risk, idempotency, detail }: RowTexts): string {
  return hash('sha256', `${at}\n${reasons}\n${risk}\n${idempotency}\n${detail === null ? '' : `:${detail}`}`, 'base64url')
}

/** @returns also what its entry has to say of the row */
export function insertDecision(row: StoredDecision): { change: Change; texts: string } {
  const { id, at, door, agent, session, method, server, tool, kind, risk, effect, fault, detail, approval, policy, digest } = row
  const texts = {
    at,
    reasons: JSON.stringify(row.reasons),
    risk_score: row.riskScore ? JSON.stringify(row.riskScore) : null,
    idempotency: row.idempotency ?? null,
    detail: detail ?? null,
  }
  const change = {
    sql: INSERT,
    params: [
      id,
      at,
      door,
      agent,
      session,
      method,
      server,
      tool ?? null,
      kind ?? null,
      risk ?? null,
      effect,
      fault ?? null,
      texts.detail,
      texts.reasons,
      JSON.stringify(row.obligations),
      approval ?? null,
      policy ?? null,
      digest,
      texts.idempotency,
      row.deadline ?? null,
      texts.risk_score,
      row.spends.length > 0 ? JSON.stringify(row.spends) : null,
    ],
  }
  return { change, texts: digestOfTexts(texts) }
}

/** Written with the first permit of a pair; two at once are one. */
export function insertPermitted(agent: string, server: string, tool: string): Change {
  return {
    sql: 'INSERT INTO broker_permitted (tenant, agent, server, tool) VALUES (@tenant, ?, ?, ?) ON CONFLICT DO NOTHING',
    params: [agent, server, tool],
  }
}

/** Takes effect once: a second outcome for the same decision is OUTCOME_DECIDED. */
export function setOutcome(id: string, outcome: OutcomeStatus, at: number): Change {
  return {
    sql: "UPDATE broker_decision SET outcome = ?, outcome_at = ? WHERE tenant = @tenant AND id = ? AND effect = 'permit' AND outcome IS NULL",
    params: [outcome, at, id],
    rows: 1,
    fault: 'OUTCOME_DECIDED',
  }
}

function fromRow(row: Selectable<DecisionTable>): StoredDecision {
  return {
    id: row.id,
    at: row.at,
    door: row.door,
    agent: row.agent,
    session: row.session,
    method: row.method,
    server: row.server,
    tool: row.tool ?? undefined,
    kind: row.kind ?? undefined,
    risk: row.risk ?? undefined,
    effect: row.effect,
    fault: row.fault ?? undefined,
    detail: row.detail ?? undefined,
    reasons: JSON.parse(row.reasons) as DecisionRow['reasons'],
    obligations: JSON.parse(row.obligations) as DecisionRow['obligations'],
    approval: row.approval ?? undefined,
    policy: row.policy ?? undefined,
    digest: row.digest,
    idempotency: row.idempotency ?? undefined,
    deadline: row.deadline ?? undefined,
    riskScore: row.risk_score === null ? undefined : (JSON.parse(row.risk_score) as DecisionRow['riskScore']),
    spends: row.spends === null ? [] : (JSON.parse(row.spends) as DecisionRow['spends']),
    outcome: row.outcome ?? undefined,
    outcomeAt: row.outcome_at ?? undefined,
  }
}

export type DecisionQuery = { cursor?: string; limit: number; agent?: string; effect?: DecisionRow['effect']; server?: string }

export function readDecisions(store: Store) {
  const rows = () => store.reader<Tables>().selectFrom('broker_decision').selectAll().where('tenant', '=', store.tenant)
  return {
    async find(id: string): Promise<StoredDecision | undefined> {
      const row = await rows().where('id', '=', id).executeTakeFirst()
      return row && fromRow(row)
    },
    async byIdempotency(key: string): Promise<StoredDecision | undefined> {
      const row = await rows().where('idempotency', '=', key).executeTakeFirst()
      return row && fromRow(row)
    },
    /** What was permitted in a session so far, and when its first call came. */
    async sessionPast(session: string): Promise<{ calls: number; startedAt: number | undefined }> {
      const ofSession = store
        .reader<Tables>()
        .selectFrom('broker_decision')
        .where('tenant', '=', store.tenant)
        .where('session', '=', session)
      const { calls, startedAt } = await ofSession
        .select([sql<number>`count(*) FILTER (WHERE effect = 'permit')`.as('calls'), sql<number | null>`min(at)`.as('startedAt')])
        .executeTakeFirstOrThrow()
      return { calls, startedAt: startedAt ?? undefined }
    },
    /** Was this agent ever permitted this tool? */
    async everPermitted(agent: string, server: string, tool: string): Promise<boolean> {
      const pairs = store.reader<Tables>().selectFrom('broker_permitted').select('tool').where('tenant', '=', store.tenant)
      const row = await pairs.where('agent', '=', agent).where('server', '=', server).where('tool', '=', tool).executeTakeFirst()
      return row !== undefined
    },
    /** Newest first: ids sort by time. */
    async list({ cursor, limit, agent, effect, server }: DecisionQuery): Promise<StoredDecision[]> {
      let query = rows().orderBy('id', 'desc').limit(limit)
      if (cursor !== undefined) query = query.where('id', '<', cursor)
      if (agent !== undefined) query = query.where('agent', '=', agent)
      if (effect !== undefined) query = query.where('effect', '=', effect)
      if (server !== undefined) query = query.where('server', '=', server)
      return (await query.execute()).map(fromRow)
    },
    /** Permits that have no outcome yet and, with `overdueAt`, whose deadline lies before it. */
    async open(overdueAt?: number): Promise<StoredDecision[]> {
      const waiting = rows().where('effect', '=', 'permit').where('outcome', 'is', null).where('deadline', 'is not', null)
      let query = waiting.orderBy('deadline').limit(1000)
      if (overdueAt !== undefined) query = query.where('deadline', '<', overdueAt)
      return (await query.execute()).map(fromRow)
    },
    /** Permits since a time that carried a rate limit: what the counters are rebuilt from. */
    async limitedSince(since: number): Promise<StoredDecision[]> {
      const permits = rows().where('effect', '=', 'permit').where('door', 'in', ['mcp', 'api']).where('at', '>', since)
      return (await permits.where('obligations', 'like', '%"limit"%').orderBy('id').execute()).map(fromRow)
    },
  }
}

export type Decisions = ReturnType<typeof readDecisions>
