/** Opens the ledger on a store: compares it with its checkpoint outside, then serves appends, reads and proofs. */
import { Fault } from '@ephor/contract'
import type { Clock, Json, Keys, Logger, Store } from '@ephor/engine/kernel'
import { parseVerifierKey, readCheckpoint, toHex } from '@ephor/proof'
import type { Receipt } from '@ephor/proof'
import { checkOutside } from './check-outside.ts'
import { DataKeys } from './data-keys.ts'
import type { DataKey } from './data-keys.ts'
import { exportLedger } from './export-ledger.ts'
import type { Appended, Described, Integrated, LedgerAttachment } from './ledger-thread.ts'
import { makeProof, readFile } from './log-files.ts'
import { prepareEntry } from './prepare-entry.ts'
import { commitmentsOf, openTogether, readSealed, readTogether } from './sealed-entries.ts'
import { readStore } from './store.ts'
import { toEntry } from './to-entry.ts'
import type { EntryDraft, Ledger } from './types.ts'

/** A checkpoint is signed at most this often, in ms, unless somebody asks for one. */
const SIGN_EVERY_MS = 1000

export type LedgerRooms = {
  store: Store
  keys: Pick<Keys, 'kek'>
  clock: Clock
  log: Logger
  /** The file that keeps the last checkpoint outside the store; the same that the extension writes. */
  outside: string
}

/** Signs after appends, at most once a second; a failure is logged and tried again. */
function signer(store: Store, log: Logger) {
  let timer: NodeJS.Timeout | undefined
  let closed = false
  const integrate = () => store.call('integrate', undefined) as Promise<Integrated>
  function wake(): void {
    if (timer || closed) return
    timer = setTimeout(() => {
      timer = undefined
      integrate().catch((error: unknown) => {
        if (closed) return
        log.error({ err: error }, 'the ledger could not sign a checkpoint; it is tried again')
        wake()
      })
    }, SIGN_EVERY_MS)
    timer.unref()
  }
  return {
    integrate,
    wake,
    stop: () => {
      closed = true
      clearTimeout(timer)
    },
  }
}

/**
 * @throws Fault LEDGER_FORKED when the store is behind its checkpoint outside, differs from it, or its last entries
 *   were changed.
 */
export async function openLedger({ store, keys, clock, log, outside }: LedgerRooms): Promise<Ledger> {
  const reads = readStore(store)
  const dataKeys = new DataKeys(reads, keys.kek)
  const { origin, verifierKey } = (await store.call('describe', undefined)) as Described
  await checkOutside(reads, outside, parseVerifierKey(verifierKey))
  await store.call('open', undefined)
  const signing = signer(store, log)
  const { integrate } = signing

  async function append(changes: Parameters<Ledger['append']>[0]['changes'], entries: EntryDraft[]): Promise<Receipt[]> {
    if (entries.length === 0) throw new Fault('INTERNAL', 'nothing is changed without a ledger entry')
    const used = new Map<string, DataKey>()
    for (const { payloads = [] } of entries) {
      for (const { subject } of payloads)
        if (!used.has(subject)) used.set(subject, dataKeys.known(subject) ?? (await dataKeys.get(subject)))
    }
    const attachment: LedgerAttachment = {
      entries: entries.map((draft) => prepareEntry(draft, clock.now(), (subject) => (used.get(subject) as DataKey).key)),
      keys: [...used].flatMap(([subject, { unsaved }]) => (unsaved ? [{ subject, sealed: unsaved }] : [])),
    }
    const appended = (await store.commit({ changes, attachment })) as Appended[]
    for (const { subject } of attachment.keys) dataKeys.saved(subject)
    signing.wake()
    return appended.map(({ seq, leafHash }) => ({ origin, seq, leafHash }))
  }

  async function payload(seq: number, name: string): Promise<Json | undefined> {
    const row = await reads.entry(seq)
    const commitments = row && commitmentsOf(toEntry(row).body)
    if (!commitments || !Object.hasOwn(commitments, name)) return undefined
    const stored = await reads.payload(seq, name)
    if (!stored) throw new Fault('STORE_CORRUPT', `the payload ${name} of entry ${seq} is missing`)
    const key = await dataKeys.find(stored.subject)
    return key && readTogether(openTogether(key, stored, commitments, seq), stored.name, commitments, name, seq)
  }

  return {
    origin,
    verifierKey,
    append: ({ changes, entries }) => append(changes, entries),
    payload,
    sealed: (query) => readSealed(reads, dataKeys, query),
    async find(id) {
      const row = await reads.entryById(id)
      return row && toEntry(row)
    },
    async read(seq) {
      const row = await reads.entry(seq)
      return row && toEntry(row)
    },
    list: async ({ after = -1, limit }) => (await reads.entries(after + 1, limit)).map(toEntry),
    async head() {
      const { note } = await integrate()
      const { size, root } = readCheckpoint(note)
      return { size, root: toHex(root), checkpoint: note }
    },
    async proof(seq) {
      const row = await reads.entry(seq)
      if (!row) throw new Fault('NOT_FOUND', `the ledger has no entry ${seq}`)
      return makeProof(reads, toEntry(row), (await integrate()).note)
    },
    file: (path) => readFile(reads, verifierKey, path),
    async exportTo(folder) {
      const { note } = await integrate()
      return exportLedger(reads, { origin, verifierKey, note, at: clock.now() }, folder)
    },
    async close() {
      signing.stop()
      await integrate()
    },
  }
}
