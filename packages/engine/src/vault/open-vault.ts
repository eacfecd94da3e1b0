/** Opens the vault: sealed values stay sealed in memory and are opened only for the moment of use. */
import { Fault, SecretName } from '@ephor/contract'
import { openEnvelope, sealEnvelope } from '@ephor/engine/kernel'
import type { Clock, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import { rowOf, vaultProjector } from './projector.ts'
import { aboutSecret, putRow, readSecrets, removeRow } from './store.ts'
import type { SecretRow } from './store.ts'
import type { Secret, Vault } from './types.ts'

/** The schema of the vault's table, for `openSqlite`. */
export const vaultMigrations = { room: 'vault', folder: new URL('./migrations/', import.meta.url) }

export type VaultOptions = { store: Store; ledger: Ledger; clock: Clock; /** 32 bytes: seals the values. */ kek: Uint8Array }

const PREFIX = 'secret:'

/** Of the entry that stored it. */
const storedEntry = (name: string, version: number) => `secret/${name}/${version}`
const removedEntry = (name: string, version: number) => `${storedEntry(name, version)}/removed`

/** The entries that would write the row next. */
function laterEntries({ name, version, sealed }: SecretRow): string[] {
  return [storedEntry(name, version + 1), ...(sealed ? [removedEntry(name, version)] : [])]
}

const TRIES = 3

export async function openVault({ store, ledger, clock, kek }: VaultOptions): Promise<Vault> {
  const rows = new Map<string, SecretRow>()
  /** Rows that the ledger has newer ones of: somebody put an older one back whole. */
  let putBack = new Set<string>()
  async function load(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const read = await readSecrets(store)
      const later = await ledger.findAll(read.flatMap(laterEntries))
      const old = read.filter((row) => laterEntries(row).some((id) => later.has(id)))
      // One that another replica is writing just now looks so once.
      if (old.length > 0 && attempt < TRIES) continue
      for (const row of read) rows.set(row.name, row)
      putBack = new Set(old.map(({ name }) => name))
      return
    }
  }
  await load()
  let last: Promise<unknown> = Promise.resolve()

  // One write at a time: each takes the next version.
  function inTurn<T>(write: () => Promise<T>): Promise<T> {
    const turn = last.then(write)
    last = turn.catch(() => undefined)
    return turn
  }
  const view = ({ name, version, stored_at: storedAt }: SecretRow): Secret => ({ name, version, storedAt })
  function held(name: string): SecretRow & { sealed: Uint8Array } {
    const row = rows.get(name)
    if (putBack.has(name)) throw new Fault('STORE_CORRUPT', `vault_secret ${name}: the ledger has a later version than the row`)
    if (!row?.sealed) throw new Fault('SECRET_UNKNOWN', `no secret is stored as ${name}`)
    return { ...row, sealed: row.sealed }
  }

  return {
    put: (name, value, by) =>
      inTurn(async () => {
        if (!SecretName.safeParse(name).success)
          throw new Fault('REQUEST_INVALID', 'a secret is named with letters, digits, dot, underscore and hyphen', { where: 'name' })
        const version = (rows.get(name)?.version ?? 0) + 1
        const sealed = sealEnvelope(kek, aboutSecret(store.tenant, name, version), Buffer.from(value))
        const row = { name, version, stored_at: clock.now(), sealed }
        const body = { secret: name, version, by, row: rowOf(row) }
        await ledger.append({ changes: [putRow(row)], entries: [{ type: 'secret.stored', id: storedEntry(name, version), body }] })
        rows.set(name, row)
        return view(row)
      }),
    list: () =>
      [...rows.values()]
        .filter(({ sealed }) => sealed !== null)
        .map(view)
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    remove: (name, by) =>
      inTurn(async () => {
        const row = held(name)
        const removed = { ...row, sealed: null }
        const body = { secret: name, version: row.version, by, row: rowOf(removed) }
        const id = removedEntry(name, row.version)
        await ledger.append({ changes: [removeRow(name, row.version)], entries: [{ type: 'secret.removed', id, body }] })
        rows.set(name, removed)
        return view(row)
      }),
    projector: () => vaultProjector(store),
    async follow({ body: { type } }) {
      if (type === 'secret.stored' || type === 'secret.removed') await inTurn(load)
    },
    resolve(text) {
      if (!text.startsWith(PREFIX)) return text
      const { name, version, sealed } = held(text.slice(PREFIX.length))
      return Buffer.from(openEnvelope(kek, aboutSecret(store.tenant, name, version), sealed)).toString()
    },
  }
}
