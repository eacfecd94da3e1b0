/** Opens the ledger on a store: compares it with its checkpoint outside, then serves appends, reads and proofs. */
import { Fault } from '@ephor/contract'
import type { Clock, Json, Keys, Logger, Store } from '@ephor/engine/kernel'
import { fromHex, fromUtf8, makeVerifierKey, toHex, utf8 } from '@ephor/proof'
import type { Receipt } from '@ephor/proof'
import { checkOutside } from './check-outside.ts'
import { DataKeys } from './data-keys.ts'
import type { DataKey } from './data-keys.ts'
import { exportLedger } from './export-ledger.ts'
import { makeEvidence } from './exports/make-evidence.ts'
import type { Appended, LedgerAttachment } from './ledger-thread.ts'
import { Integrator } from './integrate.ts'
import { openKeys } from './keys/change-keys.ts'
import { KeyChain } from './keys/key-chain.ts'
import { Signers } from './keys/signing-keys.ts'
import type { SigningKeys } from './keys/signing-keys.ts'
import { makeProof, readFile } from './log-files.ts'
import { prepareEntry } from './prepare-entry.ts'
import { checkKey, commitmentsOf, openTogether, readSealed, readTogether } from './sealed-entries.ts'
import type { Signer } from './signers/signer.ts'
import { provenRows } from './proven-rows.ts'
import { readStore } from './store.ts'
import { stampedFile, stampedFiles } from './timestamps/stamped-files.ts'
import { isIntact, toEntry } from './to-entry.ts'
import type { Entry, EntryDraft, Ledger } from './types.ts'
import { recordRefused } from './witness/accept-at-start.ts'
import type { AcceptedHistory } from './witness/accept-at-start.ts'
import { openForks, withCosignatures } from './witness/forks.ts'

export type LedgerRooms = {
  store: Store
  keys: Pick<Keys, 'kek'>
  /** Of the key that the ledger began with. */
  signer: Signer
  /** Where further keys are; without it, the key can't be rotated. */
  signingKeys?: SigningKeys
  /** The log's name, such as `example.com/ephor`: no spaces, no plus. It never changes. */
  origin: string
  clock: Clock
  log: Logger
  /** The file that keeps the last checkpoint outside the store; the same that the extension writes. */
  outside: string
  /** A person's word that the store's history counts, where the file outside tells of another one. */
  accept?: AcceptedHistory
}

/** Signs what a crash or a signer left unsigned; an old ledger may start without, a new one has to be known outside first. */
async function begin(integrator: Integrator, isNew: boolean, log: Logger): Promise<void> {
  try {
    await integrator.run()
  } catch (error) {
    if (isNew || !(error instanceof Fault) || error.code !== 'SIGNER_UNAVAILABLE') throw error
    log.error({ err: error }, 'the ledger starts without a signer; it is tried again')
    integrator.wake()
  }
}

/**
 * @throws Fault LEDGER_FORKED when the store is behind its checkpoint outside, differs from it, or its last entries
 *   were changed; SIGNER_UNAVAILABLE when a new ledger's first checkpoint can't be signed.
 */
export async function openLedger({ store, keys, signer, signingKeys, origin, clock, log, outside, accept }: LedgerRooms): Promise<Ledger> {
  const { tenant } = store
  const reads = readStore(store)
  const dataKeys = new DataKeys(reads, keys.kek, tenant)
  const chain = new KeyChain(makeVerifierKey(origin, signer.publicKey))
  await chain.follow(reads)
  const known = await checkOutside(reads, { file: outside, chain, isShared: store.kind === 'postgres', accept })
  if (known?.first) log.warn({ size: known.size }, 'this replica is new: it takes the checkpoint in the database for the ledger’s')
  await store.call('open', { origin })
  const signers = new Signers(signer, signingKeys)
  let stuck: { detail: string } | undefined
  const onForked = (detail: string) => void (stuck ??= { detail })
  const integrator = new Integrator({ store, reads, log, chain, signers, onForked }, known)
  await begin(integrator, !known, log)
  const unfollow = store.onForeign(() => integrator.wake())

  async function append(changes: Parameters<Ledger['append']>[0]['changes'], entries: EntryDraft[]): Promise<Receipt[]> {
    if (entries.length === 0) throw new Fault('INTERNAL', 'nothing is changed without a ledger entry')
    if (stuck) throw new Fault('LEDGER_FORKED', stuck.detail)
    const used = new Map<string, DataKey>()
    const keyOf = (subject: string, payload: string, at: number) => {
      const found = dataKeys.sealing(subject, payload, at)
      used.set(found.name, found)
      return found
    }
    const prepared = entries.map((draft) => prepareEntry(draft, clock.now(), { tenant, keyOf }))
    const unsaved = [...used.values()].filter(({ saved }) => !saved)
    const attachment: LedgerAttachment = {
      entries: prepared,
      keys: unsaved.map(({ name, sealed }) => ({ subject: name, sealed })),
    }
    const appended = (await store.commit({ changes, attachment })) as Appended[]
    for (const one of unsaved) one.saved = true
    integrator.wake()
    return appended.map(({ seq, leafHash }) => ({ origin, seq, leafHash }))
  }

  async function payload(seq: number, name: string): Promise<Json | undefined> {
    const row = await reads.entry(seq)
    const body = row && toEntry(row).body
    const commitments = body && commitmentsOf(body)
    if (!commitments || !Object.hasOwn(commitments, name)) return undefined
    const stored = await reads.payload(seq, name)
    if (!stored) throw new Fault('STORE_CORRUPT', `the payload ${name} of entry ${seq} is missing`)
    checkKey(stored, { seq, body })
    const key = await dataKeys.find(stored.subject)
    return key && readTogether(openTogether(key, stored, { seq, body }), stored.name, commitments, name, seq)
  }

  const publish: Ledger['append'] = (part) => append(part.changes, part.entries)
  const trusted = async () => {
    await chain.follow(reads)
    return chain.all
  }
  const forks = await openForks({ store, reads, append: publish, trusted, outside, clock, log })
  await recordRefused(outside, forks)

  return {
    origin,
    get verifierKey() {
      return chain.current.vkey
    },
    keys: openKeys({ chain, signers, reads, append: publish, publish: () => integrator.run() }),
    forks,
    forked: () => stuck ?? forks.current(),
    dataKeys,
    append: publish,
    payload,
    sealed: (query) => readSealed(reads, dataKeys, query),
    async find(id) {
      const row = await reads.entryById(id)
      return row && toEntry(row)
    },
    async findAll(ids) {
      const rows = await provenRows(reads, integrator.known, (await reads.entriesByIds(ids)).filter(isIntact))
      return new Map(rows.map((row): [string, Entry] => [row.id ?? '', toEntry(row)]))
    },
    async proves(entries) {
      const rows = entries.map(({ seq, leafHash }) => ({ seq, leaf_hash: fromHex(leafHash) }))
      return (await provenRows(reads, integrator.known, rows)).length === rows.length
    },
    async read(seq) {
      const row = await reads.entry(seq)
      return row && toEntry(row)
    },
    list: async ({ after = -1, limit }) => (await reads.entries(after + 1, limit)).map(toEntry),
    async head() {
      const { size, root, note } = await integrator.run()
      return { size, root: toHex(root), checkpoint: await withCosignatures(store, note) }
    },
    async proof(seq) {
      const row = await reads.entry(seq)
      if (!row) throw new Fault('NOT_FOUND', `the ledger has no entry ${seq}`)
      return makeProof(reads, toEntry(row), await withCosignatures(store, (await integrator.run()).note))
    },
    async file(path) {
      const bytes = (await stampedFile(store, path)) ?? (await readFile(reads, chain.current.vkey, path))
      return bytes && path === 'checkpoint' ? utf8(await withCosignatures(store, fromUtf8(bytes))) : bytes
    },
    async exportTo(folder) {
      const { size, note } = await integrator.run()
      const beside = stampedFiles(store, { upTo: size })
      return exportLedger(reads, { chain, note: await withCosignatures(store, note), at: clock.now(), beside }, folder)
    },
    evidence: async (request) =>
      makeEvidence({ store, reads, chain, signers }, await withCosignatures(store, (await integrator.run()).note), request),
    onCheckpoint: (listener) => integrator.on(listener),
    async close() {
      unfollow()
      integrator.stop()
      await integrator.run().catch((error: unknown) => {
        if (!(error instanceof Fault) || error.code !== 'SIGNER_UNAVAILABLE') throw error
        log.error({ err: error }, 'the last entries are not signed yet; the next start tries again')
      })
    },
  }
}
