/** The rows of rollouts: proposals, reviews, and the sums of what was seen while a version was tried. */
import { hash } from 'node:crypto'
import type { Change, Migrations, Store } from '@ephor/engine/kernel'
import { LATENCIES, noFigures } from './rules.ts'
import { EFFECTS } from './types.ts'
import type { Checks, Difference, Effect, Figures, Kind, Proposal, Review } from './types.ts'

export const rolloutsMigrations: Migrations = { room: 'rollouts', folder: new URL('./migrations/', import.meta.url) }

type ProposalRow = {
  tenant: string
  id: string
  version: string
  base: string | null
  author: string
  changes: string
  state: Proposal['state']
  percent: number | null
  checks: string
  opened_at: number
  changed_at: number
}
type Tables = {
  rollouts_proposal: ProposalRow
  rollouts_review: { tenant: string; proposal: string; person: string; verdict: Review['verdict']; version: string; at: number }
  rollouts_figure: { tenant: string; proposal: string; name: string; value: number }
  rollouts_difference: {
    tenant: string
    proposal: string
    agent: string
    action: string
    active: Effect
    tried: Effect
    policies: string
    count: number
    last_at: number
  }
}

function toProposal(row: ProposalRow): Proposal {
  const { id, version, author, state } = row
  return {
    id,
    version,
    base: row.base ?? undefined,
    author,
    changes: JSON.parse(row.changes) as Kind[],
    state,
    percent: row.percent ?? undefined,
    checks: JSON.parse(row.checks) as Checks,
    openedAt: row.opened_at,
    changedAt: row.changed_at,
  }
}

const proposals = (store: Store) => store.reader<Tables>().selectFrom('rollouts_proposal').selectAll().where('tenant', '=', store.tenant)

export async function findProposal(store: Store, id: string): Promise<Proposal | undefined> {
  const row = await proposals(store).where('id', '=', id).executeTakeFirst()
  return row && toProposal(row)
}

/** Newest first. */
export async function listProposals(
  store: Store,
  query: { states?: readonly Proposal['state'][]; author?: string; before?: string | undefined; limit: number },
): Promise<Proposal[]> {
  let rows = proposals(store)
  if (query.states) rows = rows.where('state', 'in', query.states)
  if (query.author !== undefined) rows = rows.where('author', '=', query.author)
  if (query.before !== undefined) rows = rows.where('id', '<', query.before)
  return (await rows.orderBy('id', 'desc').limit(query.limit).execute()).map(toProposal)
}

export function insertProposal(proposal: Proposal): Change {
  const { id, version, base, author, changes, state, checks, openedAt } = proposal
  return {
    sql: `INSERT INTO rollouts_proposal (tenant, id, version, base, author, changes, state, checks, opened_at, changed_at)
      VALUES (@tenant, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    params: [id, version, base ?? null, author, JSON.stringify(changes), state, JSON.stringify(checks), openedAt, openedAt],
    rows: 1,
  }
}

/** What the entry says of the checks: SHA-256 of them as they are written, base64url. */
export function digestOfChecks(checks: Checks): string {
  return hash('sha256', JSON.stringify(checks), 'base64url')
}

/** From the state that was seen to the next one; from another, nothing of the unit happens. */
export function moveProposal(proposal: Proposal, next: { state: Proposal['state']; percent?: number | undefined; at: number }): Change {
  return {
    sql: `UPDATE rollouts_proposal SET state = ?, percent = ?, changed_at = ?
      WHERE tenant = @tenant AND id = ? AND state = ? AND percent IS NOT DISTINCT FROM ?`,
    params: [next.state, next.percent ?? null, next.at, proposal.id, proposal.state, proposal.percent ?? null],
    rows: 1,
    fault: 'PROPOSAL_CLOSED',
  }
}

export async function listReviews(store: Store, proposal: string): Promise<(Review & { at: number })[]> {
  const rows = await store
    .reader<Tables>()
    .selectFrom('rollouts_review')
    .selectAll()
    .where('tenant', '=', store.tenant)
    .where('proposal', '=', proposal)
    .orderBy('at')
    .execute()
  return rows.map(({ person, verdict, version, at }) => ({ person, verdict, version, at }))
}

/** One review a person. */
export function insertReview(proposal: string, { person, verdict, version }: Review, at: number): Change {
  return {
    sql: 'INSERT INTO rollouts_review (tenant, proposal, person, verdict, version, at) VALUES (@tenant, ?, ?, ?, ?, ?)',
    params: [proposal, person, verdict, version, at],
    rows: 1,
  }
}

/** Every sum by its name, and back. */
export function* namedSums(figures: Figures): Iterable<[name: string, value: number]> {
  yield ['decisions', figures.decisions]
  yield ['escalated', figures.escalated]
  yield ['observed.shadow', figures.observed.shadow]
  yield ['observed.canary', figures.observed.canary]
  for (const effect of EFFECTS) {
    yield [`active.${effect}`, figures.active[effect]]
    yield [`tried.${effect}`, figures.tried[effect]]
  }
  for (const [i, end] of LATENCIES.entries()) yield [`latency.${end}`, figures.latencies[i] ?? 0]
}

export async function readFigures(store: Store, proposal: string): Promise<Figures> {
  const rows = await store
    .reader<Tables>()
    .selectFrom('rollouts_figure')
    .select(['name', 'value'])
    .where('tenant', '=', store.tenant)
    .where('proposal', '=', proposal)
    .execute()
  const by = new Map(rows.map(({ name, value }) => [name, value]))
  const of = (name: string) => by.get(name) ?? 0
  const figures = noFigures()
  for (const effect of EFFECTS) {
    figures.active[effect] = of(`active.${effect}`)
    figures.tried[effect] = of(`tried.${effect}`)
  }
  return {
    ...figures,
    decisions: of('decisions'),
    escalated: of('escalated'),
    latencies: LATENCIES.map((end) => of(`latency.${end}`)),
    observed: { shadow: of('observed.shadow'), canary: of('observed.canary') },
  }
}

export function addFigures(proposal: string, figures: Figures): Change[] {
  return [...namedSums(figures)]
    .filter(([, value]) => value > 0)
    .map(([name, value]) => ({
      sql: `INSERT INTO rollouts_figure (tenant, proposal, name, value) VALUES (@tenant, ?, ?, ?)
        ON CONFLICT (tenant, proposal, name) DO UPDATE SET value = rollouts_figure.value + excluded.value`,
      params: [proposal, name, Math.round(value)],
    }))
}

export async function listDifferences(store: Store, proposal: string, limit: number): Promise<Difference[]> {
  const rows = await store
    .reader<Tables>()
    .selectFrom('rollouts_difference')
    .selectAll()
    .where('tenant', '=', store.tenant)
    .where('proposal', '=', proposal)
    .orderBy('count', 'desc')
    .limit(limit)
    .execute()
  return rows.map(({ agent, action, active, tried, policies, count, last_at: lastAt }) => ({
    agent,
    action,
    active,
    tried,
    policies: JSON.parse(policies) as string[],
    count,
    lastAt,
  }))
}

export function addDifference(proposal: string, difference: Difference): Change {
  const { agent, action, active, tried, policies, count, lastAt } = difference
  return {
    sql: `INSERT INTO rollouts_difference (tenant, proposal, agent, action, active, tried, policies, count, last_at)
      VALUES (@tenant, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (tenant, proposal, agent, action, active, tried)
      DO UPDATE SET policies = excluded.policies, count = rollouts_difference.count + excluded.count, last_at = excluded.last_at`,
    params: [proposal, agent, action, active, tried, JSON.stringify(policies), count, lastAt],
  }
}
