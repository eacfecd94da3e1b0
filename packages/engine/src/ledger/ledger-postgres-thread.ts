/** The part of the ledger that runs in the thread of the store on PostgreSQL, where other replicas append as well: sequence, leaf hashes, tree. */
import { Fault } from '@ephor/contract'
import type { PostgresConnection, PostgresExtension, PostgresSql, PostgresStatement } from '@ephor/engine/kernel'
import { leafHash, readCheckpoint, TileWriter, toHex, utf8 } from '@ephor/proof'
import type { Hash, TilePlace } from '@ephor/proof'
import type { LedgerExtensionOptions } from './extension.ts'
import type { Appended, LedgerAttachment, Prepared } from './ledger-thread.ts'
import { edgeOf, forked, TreeLoader } from './load-tree.ts'
import { advanceLog, insertEntries, insertKeys, insertPayloads, lockLog, postgresStore } from './postgres-store.ts'
import type { LogRow, PostgresStore } from './postgres-store.ts'
import type { CheckpointRow, EntryRow, SealedPayload } from './store.ts'
import { isIntact } from './to-entry.ts'
import { keepOutside } from './write-durably.ts'

/** Entries looked up in one transaction, so that units of this replica are not kept waiting long. */
const CATCH_UP = 2000
/** Leaf hashes of our own entries that are kept until they are in the tree; beyond it they are read again. */
const MAX_OWN = 100_000

class LedgerPostgresThread implements PostgresExtension {
  readonly #outside: string
  readonly #tenant: string
  /** The ledger's size, under the row lock of the current transaction; undefined outside of one. */
  #size: number | undefined
  /** What the current transaction's units add; the last one is undone at once with its `from`. */
  #uncommitted: { from: number; hashes: Hash[] }[] = []
  /** Of committed entries that this replica appended: what it need not read again. */
  readonly #own = new Map<number, Hash>()
  /** Over the first entries, all of them read or written by this replica; undefined until `open`. */
  #tree: TileWriter | undefined
  /** Full tiles that are not stored yet. */
  #full: { place: TilePlace; bytes: Uint8Array }[] = []

  constructor({ outside }: LedgerExtensionOptions, tenant: string) {
    this.#outside = outside
    this.#tenant = tenant
  }

  async begin(sql: PostgresSql): Promise<void> {
    this.#uncommitted = []
    this.#size = undefined
    const [locked] = await sql.run([lockLog()])
    this.#size = (locked?.rows[0] as LogRow | undefined)?.size
  }

  apply(attachments: readonly unknown[]): { statements: PostgresStatement[]; answers: Appended[][] } {
    const from = this.#size
    // Until the store was compared with its last checkpoint, nothing may be written behind it.
    if (from === undefined || !this.#tree) throw new Fault('STORE_UNAVAILABLE', 'the ledger is not open')
    const keys = new Map<string, Uint8Array>()
    const entries: EntryRow[] = []
    const payloads: (SealedPayload & { seq: number })[] = []
    const answers = (attachments as LedgerAttachment[]).map((attachment) => {
      for (const { subject, sealed } of attachment.keys) keys.set(subject, sealed)
      return attachment.entries.map(({ id, body, payloads: sealed }) => {
        const seq = from + entries.length
        const hash = leafHash(utf8(body))
        entries.push({ seq, id, leaf_hash: hash, body })
        for (const payload of sealed) payloads.push({ ...payload, seq })
        return { seq, leafHash: toHex(hash) }
      })
    })
    this.#uncommitted.push({ from, hashes: entries.map((row) => row.leaf_hash) })
    this.#size = from + entries.length
    const statements = [insertEntries(entries), advanceLog(from, this.#size)]
    if (payloads.length > 0) statements.unshift(insertPayloads(payloads))
    if (keys.size > 0) statements.unshift(insertKeys([...keys].map(([subject, sealed]) => ({ subject, sealed }))))
    return { statements, answers }
  }

  undone(): void {
    this.#size = this.#uncommitted.pop()?.from
  }

  committed(): void {
    if (this.#own.size > MAX_OWN) this.#own.clear()
    for (const { from, hashes } of this.#uncommitted) for (const [i, hash] of hashes.entries()) this.#own.set(from + i, hash)
    this.#uncommitted = []
  }

  async call(method: string, argument: unknown, connection: PostgresConnection): Promise<unknown> {
    const { origin, note, nextKeyChange } = (argument ?? {}) as { origin: string; note: string; nextKeyChange: string }
    if (method === 'open') return connection.transaction((sql) => this.#open(postgresStore(sql), origin))
    if (method === 'prepare') return this.#prepare(connection, nextKeyChange)
    if (method === 'publish')
      return connection.transaction((sql) => postgresStore(sql).putCheckpoint({ size: readCheckpoint(note).size, note }))
    if (method === 'keep') return keepOutside(this.#outside, note)
    throw new Fault('INTERNAL', `the ledger has no ${method}`)
  }

  /** Nobody appends meanwhile: counter, entries and tree are of one moment. @throws Fault LEDGER_FORKED */
  async #open(store: PostgresStore, origin: string): Promise<void> {
    let log = await store.lock()
    const [count, row] = [await store.count(), await store.checkpoint()]
    if (!log) {
      // New, or copied from an embedded store, all signed. Otherwise it was removed: perhaps with entries that nobody had signed yet.
      if (count !== (row?.size ?? 0)) throw forked(`the counter of the ledger is missing, and not all of its ${count} entries are signed`)
      await store.insertLog(origin, count)
      log = { origin, size: count }
    }
    if (log.origin !== origin)
      throw forked(`the store has the ledger of ${log.origin}, not of ${origin}: the keys are of another installation`)
    if (log.size !== count) throw forked(`the counter of the ledger says ${log.size} entries, but they end at ${count}`)
    if (!row && count > 0) throw forked('the store has entries but no checkpoint')
    this.#tree = row ? await this.#load(store, row, count) : new TileWriter(0, [], this.#emit)
  }

  readonly #emit = (place: TilePlace, bytes: Uint8Array): void => void this.#full.push({ place, bytes })

  async #load(store: PostgresStore, row: CheckpointRow, count: number): Promise<TileWriter> {
    this.#full = []
    const tiles = await store.tiles(edgeOf(row.size))
    const loader = new TreeLoader(row, ({ level }) => tiles.get(level), this.#emit)
    for await (const page of store.entriesFrom(loader.from)) for (const entry of page) loader.take(entry)
    const tree = loader.done()
    if (tree.size !== count) throw forked(`the ledger has ${count} entries, but only ${tree.size} are there`)
    return tree
  }

  /** Brings the tree to the ledger's size, stores its tiles, and says what there is to sign. */
  async #prepare(connection: PostgresConnection, nextKeyChange: string): Promise<Prepared | { busy: true }> {
    for (;;) {
      const rest = await connection.transaction(async (sql) => {
        const store = postgresStore(sql)
        return this.#grow(store, await this.#sizeOf(store))
      })
      if (rest === 0) break
    }
    const done = await connection.transaction(async (sql) => {
      const store = postgresStore(sql)
      if (!(await store.tryIntegrate(this.#tenant))) return undefined
      if ((await this.#grow(store, await this.#sizeOf(store))) > 0) return undefined
      const tree = this.#tree as TileWriter
      const tiles = [...this.#full, ...tree.partial()]
      await store.putTiles(tiles)
      const [stored, keyChanged] = [await store.checkpoint(), await store.has(nextKeyChange)]
      return { prepared: { size: tree.size, root: tree.root(), stored, keyChanged }, full: this.#full.length }
    })
    if (!done) return { busy: true }
    this.#full.splice(0, done.full)
    return done.prepared
  }

  async #sizeOf(store: PostgresStore): Promise<number> {
    const log = await store.log()
    if (!log || !this.#tree) throw new Fault('STORE_UNAVAILABLE', 'the ledger is not open')
    // Integration is behind the acknowledgement, never before it: fewer than were acknowledged means that the database went back.
    if (log.size < this.#tree.size) throw forked(`the ledger has ${log.size} entries, but had ${this.#tree.size}`)
    return log.size
  }

  /** Takes the next entries into the tree, own ones from memory. @returns how many are left @throws Fault LEDGER_FORKED */
  async #grow(store: PostgresStore, size: number): Promise<number> {
    const tree = this.#tree as TileWriter
    const missing: number[] = []
    let to = tree.size
    for (; to < size && missing.length < CATCH_UP; to++) if (!this.#own.has(to)) missing.push(to)
    const rows = new Map((missing.length > 0 ? await store.entriesAt(missing) : []).map((row) => [row.seq, row]))
    for (let seq = tree.size; seq < to; seq++) {
      const own = this.#own.get(seq)
      const row = rows.get(seq)
      if (!own && !row) throw forked(`entry ${seq} is missing`)
      if (row && !isIntact(row)) throw forked(`entry ${seq} was changed`)
      tree.push(own ?? new Uint8Array((row as EntryRow).leaf_hash))
      this.#own.delete(seq)
    }
    return size - to
  }
}

/** Called by the store's thread. */
export function installPostgres(options: unknown, tenant: string): PostgresExtension {
  return new LedgerPostgresThread(options as LedgerExtensionOptions, tenant)
}
