/** What proposals, reviews and the sums of trials should be, by their entries. */
import type { Json, JsonObject, Store } from '@ephor/engine/kernel'
import { asText, checkHeld, entryType, joinChecks, readJson, Uncovered } from '@ephor/engine/ledger'
import type { ProjectedRow, Projector, StoredRow } from '@ephor/engine/ledger'
import { digestOfChecks, namedSums } from './store.ts'
import type { Difference } from './types.ts'

const PROPOSAL = 'rollouts_proposal'
type Row = Record<string, Json>

const STATES: Record<string, string> = { 'rollout.promoted': 'promoted', 'rollout.withdrawn': 'withdrawn' }

function shape(row: StoredRow): ProjectedRow {
  const { checks, ...plain } = row as Record<string, Json>
  const read = readJson(checks)
  return { ...plain, checks: digestOfChecks(read as never) }
}

export function rolloutsProjector({ store }: { store: Store }): Projector {
  const proposals = new Map<string, Row>()
  const reviews = new Map<string, Row>()
  const figures = new Map<string, { proposal: string; name: string; value: number }>()
  const differences = new Map<string, Row & { count: number }>()
  /** Of trials that have entries of before, which say neither. */
  const old = new Set<string>()
  const uncovered = new Uncovered()

  function propose(id: string, { version, base, author, changes, checks, movedAt }: JsonObject): void {
    const row: Row = { id, version: version ?? null, base: base ?? null, author: author ?? null, changes: JSON.stringify(changes) }
    if (movedAt === undefined) uncovered.add(PROPOSAL, id, 'checks, opened_at, changed_at')
    const said: Row = movedAt === undefined ? {} : { checks: checks ?? null, opened_at: movedAt, changed_at: movedAt }
    proposals.set(id, { ...row, ...said, state: 'open', percent: null })
  }

  /** From now on it is in this state; since when, entries of before don't say. */
  function move(id: string, state: Json, { movedAt }: JsonObject, percent: Json = null): void {
    const row = proposals.get(id)
    if (!row) return
    if (movedAt === undefined) {
      delete row['changed_at']
      uncovered.add(PROPOSAL, id, 'changed_at')
    } else row['changed_at'] = movedAt
    Object.assign(row, { state, percent })
  }

  function review(id: string, body: JsonObject): void {
    const { by = null, verdict = null, version = null, movedAt } = body
    const row = { proposal: id, person: by, verdict, version }
    reviews.set(JSON.stringify([id, by]), movedAt === undefined ? row : { ...row, at: movedAt })
    if (movedAt === undefined) uncovered.add('rollouts_review', `${id}/${asText(by)}`, 'at')
    move(id, body['state'] ?? null, body)
  }

  function rollBack(id: string, body: JsonObject): void {
    const { ended } = body
    for (const one of Array.isArray(ended) ? ended : [id]) move(asText(one), 'rolled-back', body)
    if (Array.isArray(ended)) return
    // Entries of before name one proposal where a trial beside it could end too.
    for (const [other, row] of proposals) {
      if (row['state'] !== 'shadow' && row['state'] !== 'canary') continue
      for (const field of ['state', 'percent', 'changed_at']) delete row[field]
      uncovered.add(PROPOSAL, other, 'state, percent, changed_at')
    }
  }

  function observe(id: string, body: JsonObject): void {
    if (body['differences'] === undefined) {
      old.add(id)
      uncovered.add('rollouts_figure', id, 'latency sums')
      uncovered.add('rollouts_difference', id, 'all its columns')
    }
    if (body['decisions'] !== undefined)
      for (const [name, value] of namedSums({ latencies: [], ...body } as never)) {
        if (value <= 0) continue
        const key = JSON.stringify([id, name])
        const sum = figures.get(key) ?? { proposal: id, name, value: 0 }
        figures.set(key, { ...sum, value: sum.value + Math.round(value) })
      }
    for (const one of (body['differences'] ?? []) as never as Difference[]) {
      const { agent, action, active, tried, policies, count, lastAt } = one
      const key = JSON.stringify([id, agent, action, active, tried])
      const sum = (differences.get(key)?.count ?? 0) + count
      const row = { proposal: id, agent, action, active, tried, policies: JSON.stringify(policies), last_at: lastAt }
      differences.set(key, { ...row, count: sum })
    }
  }

  const isCovered = ({ key }: { key: string }, isLatency = true) => !isLatency || !old.has(key.split('/')[0] ?? '')

  return {
    take(entry) {
      const { body } = entry
      const [type, id] = [entryType(entry), asText(body['proposal'])]
      if (type === 'rollout.proposed') propose(id, body)
      else if (type === 'rollout.reviewed') review(id, body)
      else if (type === 'rollout.staged') move(id, body['mode'] ?? null, body, body['mode'] === 'canary' ? (body['percent'] ?? null) : null)
      else if (type === 'rollout.rolled-back') rollBack(id, body)
      else if (type === 'rollout.observed') observe(id, body)
      else if (STATES[type] !== undefined) move(id, STATES[type], body)
    },
    async finish() {
      const of = (table: string, ...key: string[]) => ({ store, table, key })
      const proposed = await checkHeld({ ...of(PROPOSAL, 'id'), shape }, [...proposals.values()])
      const reviewed = await checkHeld(of('rollouts_review', 'proposal', 'person'), [...reviews.values()])
      const summed = await checkHeld(of('rollouts_figure', 'proposal', 'name'), [...figures.values()])
      const differing = await checkHeld(of('rollouts_difference', 'proposal', 'agent', 'action', 'active', 'tried'), [
        ...differences.values(),
      ])
      summed.differences = summed.differences.filter((one) => isCovered(one, one.key.includes('/latency.')))
      differing.differences = differing.differences.filter((one) => isCovered(one))
      return joinChecks([proposed, reviewed, summed, differing], uncovered)
    },
  }
}
