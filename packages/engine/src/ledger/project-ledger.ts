/** The ledger's tables beside its entries and tree: erasure, holds, rules and outages by the entries, what others signed by itself. */
import type { Json, JsonObject, Store } from '@ephor/engine/kernel'
import type { CosignerKey } from '@ephor/proof'
import { checkSignedRows } from './check-signed-rows.ts'
import { erasureStore } from './erasure/erasure-store.ts'
import { KEEP_ALL } from './erasure/retention-rules.ts'
import { entryType } from './entry-type.ts'
import type { Projector } from './projection-check.ts'
import { asText, checkHeld, joinChecks, readJson, Uncovered } from './projected-table.ts'
import type { Entry, Ledger } from './types.ts'

type Row = Record<string, Json>

const timeOf = (value: Json | undefined): Json => (typeof value === 'string' ? Date.parse(value) : null)
const DESTROYED = 'ledger_destroyed_key'

/** The state of erasure and retention, change by change. */
class Kept {
  readonly destroyed = new Map<string, Row>()
  readonly holds = new Map<string, Row>()
  readonly uncovered: Uncovered
  retention: Row | undefined
  outage: Row | undefined

  constructor(uncovered: Uncovered) {
    this.uncovered = uncovered
  }

  #change(id: string, rules?: Json): void {
    const [, version] = /^retention\/(\d+)$/.exec(id) ?? []
    const before = this.retention ?? { rules: KEEP_ALL as unknown as Json, version: 0 }
    if (version !== undefined) this.retention = { rules: rules ?? before['rules'] ?? null, version: Number(version) }
  }

  #place(body: JsonObject): void {
    const { id = null, hold = null, by = null, subject = null, since, until, placedAt } = body
    const row = { id: hold, subject, since: timeOf(since), until: timeOf(until), placed_by: by, entry: id }
    this.holds.set(asText(hold), placedAt === undefined ? row : { ...row, placed_at: timeOf(placedAt) })
    if (placedAt === undefined) this.uncovered.add('ledger_hold', asText(hold), 'placed_at')
  }

  take(type: string, body: JsonObject): void {
    const id = asText(body['id'])
    if (type === 'ledger.erased' || type === 'ledger.expired')
      for (const [name, digest] of Object.entries((body['destroyed'] ?? {}) as JsonObject))
        this.destroyed.set(name, { name, digest: digest ?? null, entry: id })
    if (type === 'ledger.hold.placed') this.#place(body)
    if (type === 'ledger.hold.released') this.holds.delete(asText(body['hold']))
    this.#change(id, type === 'ledger.retention.set' ? body['rules'] : undefined)
    if (type === 'ledger.witness.missing')
      this.outage = body['state'] === 'began' ? { size: body['size'] ?? null, since: timeOf(body['since']) } : undefined
  }
}

export type LedgerTables = {
  store: Store
  ledger: Pick<Ledger, 'keys'>
  /** The witnesses whose keys are known here. */
  cosigners: readonly CosignerKey[]
}

export function ledgerProjector({ store, ledger, cosigners }: LedgerTables): Projector {
  const uncovered = new Uncovered()
  const kept = new Kept(uncovered)
  const present = (row: Row | undefined) => (row ? [row] : [])
  return {
    take: (entry: Entry) => kept.take(entryType(entry), entry.body),
    async finish() {
      const retention = { store, table: 'ledger_retention', key: [] }
      const checks = [
        await checkHeld({ store, table: DESTROYED, key: ['name'] }, [...kept.destroyed.values()]),
        await checkHeld({ store, table: 'ledger_hold', key: ['id'] }, [...kept.holds.values()]),
        await checkHeld(
          { ...retention, shape: ({ rules, ...row }) => ({ ...(row as Row), rules: readJson(rules) }) },
          present(kept.retention),
        ),
        await checkHeld({ store, table: 'ledger_outage', key: [] }, present(kept.outage)),
        ...(await checkSignedRows({ store, ledger, cosigners }, uncovered)),
      ]
      const detail = 'it says that what the key sealed is removed, and some of it is still stored'
      const still = await erasureStore(store).stillSealed()
      checks[0]?.differences.push(...still.map(({ name }) => ({ table: DESTROYED, key: name, field: 'cleared', detail })))
      return joinChecks(checks, uncovered)
    },
  }
}
