/** Rebuilds from the ledger alone what the vault's rows should be, and names what somebody changed beside it. */
import { hash } from 'node:crypto'
import type { JsonObject, Store } from '@ephor/engine/kernel'
import { compareRows, entryType } from '@ephor/engine/ledger'
import type { ProjectedRow, Projector } from '@ephor/engine/ledger'
import { readSecrets } from './store.ts'
import type { SecretRow } from './store.ts'

const TABLE = 'vault_secret'
const BEFORE = 'it was stored before entries had rows in them: only its version can be checked'

/** As entries have it. Sealed bytes begin with a random nonce, so that their digest says nothing of what is sealed. */
export const rowOf = ({ version, stored_at, sealed }: SecretRow): JsonObject => ({
  version,
  stored_at,
  sealed: sealed && hash('sha256', sealed, 'hex'),
})

export function vaultProjector(store: Store): Projector {
  const expected = new Map<string, ProjectedRow>()
  const partial = new Set<string>()
  return {
    take(entry) {
      const type = entryType(entry)
      const { secret, version, row } = entry.body
      if ((type !== 'secret.stored' && type !== 'secret.removed') || typeof secret !== 'string') return
      if (typeof row === 'object' && row !== null && !Array.isArray(row)) {
        expected.set(secret, row)
        partial.delete(secret)
      } else {
        expected.set(secret, type === 'secret.removed' ? { version: version ?? null, sealed: null } : { version: version ?? null })
        partial.add(secret)
      }
    },
    async finish() {
      const rows = await readSecrets(store)
      return {
        rows: rows.length,
        differences: compareRows(TABLE, expected, new Map(rows.map((row) => [row.name, rowOf(row)]))),
        uncovered: [...partial].map((key) => ({ table: TABLE, key, detail: BEFORE })),
      }
    },
  }
}
