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

export async function openVault({ store, ledger, clock, kek }: VaultOptions): Promise<Vault> {
  const rows = new Map<string, SecretRow>()
  async function load(): Promise<void> {
    for (const row of await readSecrets(store)) rows.set(row.name, row)
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
        const id = `${storedEntry(name, row.version)}/removed`
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
