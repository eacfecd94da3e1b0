/** Two histories under one key: found by holding checkpoints that others have against this ledger, recorded, and resolved by a person. */
import { Fault } from '@ephor/contract'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import {
  foldSubtrees,
  formatNote,
  formatVerifierKey,
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
import { ForkRecord, partedAt } from './fork-record.ts'
import { ForksOutside } from './forks-outside.ts'
import type { Comparison, Fork, Forks } from './types.ts'
import { readWitnessing } from './witness-store.ts'

/** Of a checkpoint that came from outside, with all its signatures. */
const MAX_NOTE = 64 * 1024
const MAX_TEXT = 8 * 1024
const MAX_TRIES = 5

/** `revokedAbove`: checkpoints above this size are not the ledger's word. `replacedAt`: the entry from which on it signs nothing. */
type TrustedKey = { key: VerifierKey; replacedAt?: number; revokedAbove?: number }

export type ForksRooms = {
  store: Store
  reads: ReadStore
  append: Ledger['append']
  /** The keys whose checkpoints speak for this ledger, as of now: a revocation counts at once. */
  trusted: () => Promise<readonly TrustedKey[]>
  /** The file of the checkpoint: open forks are kept beside it too. */
  outside: string
  clock: Clock
  log: Logger
}

/** The root of the first `size` entries. @throws Fault STORE_CORRUPT */
export async function rootAt(reads: ReadStore, size: number): Promise<Hash> {
  const read = tileReader(size, async (place) => {
    const tile = await readPlace(reads, place)
    if (!tile) throw new Fault('STORE_CORRUPT', `a tile of level ${place.level} is missing`)
    return tile
  })
  return foldSubtrees(await read(subtreesOf(0, size)))
}

/** With the lines of the ledger's keys alone, and no more than an entry holds. */
function bare(note: string, keys: readonly TrustedKey[]): string {
  const { text, signatures } = parseNote(note)
  return formatNote(
    text,
    signatures.filter((line) => keys.some(({ key }) => key.name === line.name && sameBytes(key.keyId, line.keyId))),
  )
}

type Signed = { checkpoint: Checkpoint; by: TrustedKey }

const isRevoked = ({ checkpoint, by }: Signed) => checkpoint.size > (by.revokedAbove ?? Infinity)

/** The checkpoint, and which of the keys signed it: one that counts before one that was revoked. Otherwise why it says nothing. */
async function verified(note: string, keys: readonly TrustedKey[]): Promise<Signed | string> {
  if (note.length > MAX_NOTE) return 'it is too long for a checkpoint'
  let why = 'no key is known'
  let revoked: Signed | undefined
  for (const by of keys) {
    try {
      const signed = { checkpoint: await verifyCheckpoint(note, by.key), by }
      if (parseNote(note).text.length > MAX_TEXT) return 'it is too long for a checkpoint'
      if (!isRevoked(signed)) return signed
      // A line of a revoked key beside a good one must not hide what the good one proves.
      revoked = signed
    } catch (error) {
      if (!(error instanceof ProofError)) throw error
      why = error.message
    }
  }
  return revoked ?? why
}

export async function openForks({ store, reads, append, trusted, outside, clock, log }: ForksRooms): Promise<Forks> {
  const record = new ForkRecord(reads)
  const beside = new ForksOutside(outside, log)

  async function follow(): Promise<void> {
    await record.follow()
    beside.keep(record.open().map(({ theirs }) => theirs))
  }

  async function write(fork: Fork): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES && !record.isWritten(fork); tries++) {
      try {
        await append({ changes: [], entries: [record.forkedEntry(fork)] })
      } catch (error) {
        // Another one took the number.
        if (!(error instanceof Fault && error.code === 'CONFLICT')) throw error
      }
      await follow()
    }
  }

  async function declare(fork: Fork): Promise<void> {
    // At once, before it is written: a store that can't record it must not permit anything either.
    record.found(fork)
    beside.keep(record.open().map(({ theirs }) => theirs))
    const { source, detail, size } = fork
    log.error({ source, detail, size }, 'the ledger has two histories: nothing is permitted until a person resolves it')
    await write(fork).catch((error: unknown) => log.error({ err: error }, 'the fork could not be recorded'))
  }

  async function stored(): Promise<{ size: number; note: string }> {
    const row = await reads.checkpoint()
    if (!row) throw new Fault('STORE_UNAVAILABLE', 'the ledger is not open')
    return row
  }

  const forkOf = async (note: string, ours: string, said: Pick<Fork, 'source' | 'detail'>): Promise<Fork> => {
    const { size, root } = readCheckpoint(note)
    const keys = await trusted()
    const notes = { theirs: bare(note, keys), ours: bare(ours, keys) }
    return { size, root: toHex(root), ...notes, ...said, at: clock.now(), resolvedAt: undefined }
  }

  async function compare(note: string, source: string): Promise<Comparison> {
    const theirs = await verified(note, await trusted())
    if (typeof theirs === 'string') return { kind: 'foreign', detail: theirs }
    const { size, root } = theirs.checkpoint
    const { replacedAt = Infinity } = theirs.by
    const key = formatVerifierKey(theirs.by.key)
    const mine = await stored()
    if (size <= mine.size && sameBytes(await rootAt(reads, size), root)) {
      if (size > replacedAt) log.error({ source, key, size }, 'a key of this ledger that was replaced goes on signing: revoke it')
      return { kind: 'contained', size }
    }
    if (isRevoked(theirs)) {
      const detail = `the revoked key ${key} signed another history, of ${size} entries`
      log.error({ source, key, size, detail }, 'somebody signs checkpoints with a revoked key of this ledger; they prove nothing')
      return { kind: 'foreign', detail }
    }
    const who = size > replacedAt ? `a key that was replaced (${key})` : "the ledger's key"
    const detail =
      size > mine.size
        ? `${who} signed ${size} entries, and this ledger has ${mine.size}: it was rolled back`
        : `${who} signed another history of the first ${size} entries`
    const state = record.stateOf({ size, root: toHex(root) })
    if (state === 'resolved') return { kind: 'resolved', size }
    if (state === undefined) await declare(await forkOf(note, mine.note, { source, detail }))
    return { kind: 'forked', size, detail }
  }

  async function resolve(by: string, accept: { size: number; root: string }, reason: string): Promise<Fork[]> {
    await record.follow()
    const forks = record.open()
    if (forks.length === 0) throw new Fault('CONFLICT', 'no fork of this ledger waits for anybody')
    const isOurs = accept.size <= (await stored()).size && toHex(await rootAt(reads, accept.size)) === accept.root
    if (!isOurs)
      throw new Fault(
        'CONFLICT',
        `this ledger is not the history of ${accept.size} entries with the root ${accept.root}: to go on with that one, stop Ephor and put back the store that has it`,
      )
    const least = Math.max(...forks.map(partedAt))
    if (accept.size < least)
      throw new Fault('CONFLICT', `the first ${accept.size} entries do not say which history counts: name a size of at least ${least}`)
    for (const fork of forks) await write(fork)
    await append({ changes: [], entries: [record.resolvedEntry({ by, accepted: accept, refused: forks, reason })] })
    await follow()
    return record.all().filter((one) => forks.some(({ size, root }) => one.size === size && one.root === root))
  }

  async function refuse(note: string, reason: string): Promise<void> {
    const mine = await stored()
    const detail = 'the checkpoint outside the store tells of another history'
    const fork = await forkOf(note, mine.note, { source: 'start', detail })
    const accepted = { size: mine.size, root: toHex(readCheckpoint(mine.note).root) }
    const told = record.isWritten(fork) ? [] : [record.forkedEntry(fork)]
    const resolved = record.resolvedEntry({ by: 'operator', accepted, refused: [fork], reason })
    await append({ changes: [], entries: [...told, resolved] })
    await follow()
  }

  const kept = beside.read()
  await record.follow()
  // What was kept and is in no entry was removed from the store: it is found again, and recorded again.
  for (const note of kept) await compare(note, 'start')
  await follow()
  store.onForeign(() => void follow().catch((error: unknown) => log.error({ err: error }, 'the forks could not be read again')))

  return {
    refuse,
    current() {
      const [first] = record.open()
      return first && { detail: first.detail }
    },
    async list() {
      await record.follow()
      return record.all()
    },
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
