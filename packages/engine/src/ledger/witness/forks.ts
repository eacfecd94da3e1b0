/** Two histories under one key: found by holding checkpoints that others have against this ledger, recorded, and resolved by a person. */
import { Fault } from '@ephor/contract'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import {
  foldSubtrees,
  formatNote,
  ProofError,
  readCheckpoint,
  parseNote,
  sameBytes,
  subtreesOf,
  tileReader,
  toHex,
  verifyCheckpoint,
} from '@ephor/proof'
import type { Checkpoint, Hash, VerifierKey } from '@ephor/proof'
import { readPlace } from '../log-files.ts'
import type { ReadStore } from '../store.ts'
import type { Ledger } from '../types.ts'
import type { Comparison, Fork, Forks } from './types.ts'
import { insertFork, readWitnessing, resolveForkRow } from './witness-store.ts'
import type { ForkRow } from './witness-store.ts'

/** Of a checkpoint that came from outside, with all its signatures. */
const MAX_NOTE = 64 * 1024
const MAX_TEXT = 8 * 1024

/** `revokedAbove`: checkpoints above this size are not the ledger's word. */
type TrustedKey = { key: VerifierKey; revokedAbove?: number }

export type ForksRooms = {
  store: Store
  reads: ReadStore
  append: Ledger['append']
  /** The keys whose checkpoints speak for this ledger. */
  trusted: () => readonly TrustedKey[]
  clock: Clock
  log: Logger
}

/** The root of the first `size` entries. @throws Fault STORE_CORRUPT */
async function rootAt(reads: ReadStore, size: number): Promise<Hash> {
  const read = tileReader(size, async (place) => {
    const tile = await readPlace(reads, place)
    if (!tile) throw new Fault('STORE_CORRUPT', `a tile of level ${place.level} is missing`)
    return tile
  })
  return foldSubtrees(await read(subtreesOf(0, size)))
}

function toFork({ size, root, theirs, ours, source, detail, at, resolved_at }: ForkRow): Fork {
  return { size, root, theirs, ours, source, detail, at, resolvedAt: resolved_at ?? undefined }
}

/** With the lines of the ledger's keys alone, and no more than an entry holds. */
function bare(note: string, keys: readonly TrustedKey[]): string {
  const { text, signatures } = parseNote(note)
  return formatNote(
    text,
    signatures.filter((line) => keys.some(({ key }) => key.name === line.name && sameBytes(key.keyId, line.keyId))),
  )
}

/** The checkpoint, when one of the keys signed it; otherwise why it says nothing. */
async function verified(note: string, keys: readonly TrustedKey[]): Promise<Checkpoint | string> {
  if (note.length > MAX_NOTE) return 'it is too long for a checkpoint'
  let why = 'no key is known'
  for (const { key, revokedAbove = Infinity } of keys) {
    try {
      const checkpoint = await verifyCheckpoint(note, key)
      if (checkpoint.size > revokedAbove) return 'its key was revoked before that'
      return parseNote(note).text.length > MAX_TEXT ? 'it is too long for a checkpoint' : checkpoint
    } catch (error) {
      if (!(error instanceof ProofError)) throw error
      why = error.message
    }
  }
  return why
}

export async function openForks({ store, reads, append, trusted, clock, log }: ForksRooms): Promise<Forks> {
  const own = readWitnessing(store)
  let rows = await own.forks()
  // What could not be written stays known: no row of a fork ever goes away.
  async function reload(): Promise<void> {
    const stored = await own.forks()
    rows = [...stored, ...rows.filter((row) => !stored.some(({ size, root }) => size === row.size && root === row.root))]
  }
  store.onForeign(() => void reload().catch((error: unknown) => log.error({ err: error }, 'the forks could not be read again')))
  const open = () => rows.filter(({ resolved_at }) => resolved_at === null)

  async function declare(row: ForkRow): Promise<void> {
    // At once, before it is written: a store that can't record it must not permit anything either.
    rows = [...rows, row]
    log.error(
      { source: row.source, detail: row.detail, size: row.size },
      'the ledger has two histories: nothing is permitted until a person resolves it',
    )
    const { theirs, ours, size, root, source, detail } = row
    const body = { size, root, theirs, ours, source, detail }
    try {
      await append({ changes: [insertFork(row)], entries: [{ type: 'ledger.forked', id: `ledger.forked/${size}/${root}`, body }] })
    } catch (error) {
      // Another replica found it first.
      if (error instanceof Fault && error.code === 'CONFLICT') await reload()
      else log.error({ err: error }, 'the fork could not be recorded')
    }
  }

  async function compare(note: string, source: string): Promise<Comparison> {
    const theirs = await verified(note, trusted())
    if (typeof theirs === 'string') return { kind: 'foreign', detail: theirs }
    const { size } = theirs
    const root = toHex(theirs.root)
    const mine = await reads.checkpoint()
    if (!mine) throw new Fault('STORE_UNAVAILABLE', 'the ledger is not open')
    if (size <= mine.size && sameBytes(await rootAt(reads, size), theirs.root)) return { kind: 'contained', size }
    const known = rows.find((row) => row.size === size && row.root === root)
    const detail =
      size > mine.size
        ? `the ledger's key signed ${size} entries, and this ledger has ${mine.size}: it was rolled back`
        : `the ledger's key signed another history of the first ${size} entries`
    if (known) return known.resolved_at === null ? { kind: 'forked', size, detail } : { kind: 'resolved', size }
    const kept = { theirs: bare(note, trusted()), ours: bare(mine.note, trusted()), ours_size: mine.size }
    await declare({ size, root, ...kept, source, detail, at: clock.now(), resolved_at: null })
    return { kind: 'forked', size, detail }
  }

  async function resolve(by: string, accept: { size: number; root: string }, reason: string): Promise<Fork[]> {
    await reload()
    const forks = open()
    if (forks.length === 0) throw new Fault('CONFLICT', 'no fork of this ledger waits for anybody')
    const mine = await reads.checkpoint()
    const isOurs = accept.size <= (mine?.size ?? 0) && toHex(await rootAt(reads, accept.size)) === accept.root
    if (!isOurs)
      throw new Fault(
        'CONFLICT',
        `this ledger is not the history of ${accept.size} entries with the root ${accept.root}: to go on with that one, stop Ephor and put back the store that has it`,
      )
    const least = Math.max(...forks.map(({ size, ours_size }) => Math.min(size, ours_size)))
    if (accept.size < least)
      throw new Fault('CONFLICT', `the first ${accept.size} entries do not say which history counts: name a size of at least ${least}`)
    const at = clock.now()
    const refused = forks.map(({ size, root }) => ({ size, root }))
    await append({
      changes: forks.map((fork) => resolveForkRow(fork, at)),
      entries: [
        {
          type: 'ledger.fork.resolved',
          body: { by, accepted: accept, refused },
          payloads: [{ name: 'reason', subject: by, value: reason }],
        },
      ],
    })
    await reload()
    return forks.map((fork) => toFork({ ...fork, resolved_at: at }))
  }

  async function refuse(theirs: string, reason: string): Promise<void> {
    const checkpoint = readCheckpoint(theirs)
    const mine = await reads.checkpoint()
    if (!mine) throw new Fault('STORE_UNAVAILABLE', 'the ledger is not open')
    const at = clock.now()
    const [size, root] = [checkpoint.size, toHex(checkpoint.root)]
    const found = rows.find((row) => row.size === size && row.root === root)
    const told = {
      theirs: bare(theirs, trusted()),
      ours: bare(mine.note, trusted()),
      source: 'start',
      detail: 'the checkpoint outside the store tells of another history',
    }
    const row: ForkRow = { size, root, ...told, ours_size: mine.size, at, resolved_at: at }
    const isOpen = found !== undefined && found.resolved_at === null
    const by = 'operator'
    const resolved = {
      type: 'ledger.fork.resolved',
      body: { by, accepted: { size: mine.size, root: toHex(readCheckpoint(mine.note).root) }, refused: [{ size, root }] },
      payloads: [{ name: 'reason', subject: by, value: reason }],
    }
    const declared = { type: 'ledger.forked', id: `ledger.forked/${size}/${root}`, body: { size, root, ...told } }
    await append({
      changes: found ? (isOpen ? [resolveForkRow(found, at)] : []) : [insertFork(row)],
      entries: found ? [resolved] : [declared, resolved],
    })
    await reload()
  }

  return {
    refuse,
    current() {
      const [first] = open()
      return first && { detail: first.detail }
    },
    list: async () => (await own.forks()).map(toFork),
    compare,
    resolve,
  }
}

/** The note with the cosignatures that are stored for exactly this checkpoint. */
export async function withCosignatures(store: Store, note: string): Promise<string> {
  const { size } = readCheckpoint(note)
  const { text } = parseNote(note)
  const rows = await readWitnessing(store).cosignatures(size)
  return rows.reduce((all, row) => (parseNote(row.note).text === text && !all.includes(row.line) ? all + row.line : all), note)
}
