/** Entries with their payloads still sealed and the keys beside them, so that another thread of this process can open them. */
import type { KeyObject } from 'node:crypto'
import { Fault, isId } from '@ephor/contract'
import type { IdPrefix } from '@ephor/contract'
import { openEnvelope } from '@ephor/engine/kernel'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { fromUtf8, SALT_BYTES, verifyCommitment } from '@ephor/proof'
import type { Commitment } from '@ephor/proof'
import type { DataKeys } from './data-keys.ts'
import { aboutPayload } from './prepare-entry.ts'
import type { EntryRow, ReadStore, SealedPayload } from './store.ts'
import { toEntry } from './to-entry.ts'

export type SealedQuery = {
  /** The seq before the first wanted. */
  after: number
  /** The last seq wanted. */
  upTo: number
  /** Entries looked at, wanted or not, at most: fewer where their payloads are large. */
  limit: number
  /** Only entries whose idempotency key is an id of this kind. */
  ids: IdPrefix
  /** Of the payloads. */
  names: readonly string[]
}

/** Can be posted to a thread: keys are handles of this process and stay in it. */
export type SealedEntries = {
  entries: { row: EntryRow; payloads: SealedPayload[] }[]
  /** By name. A destroyed key is not here; one that is gone without an entry, or does not open, is undefined. */
  keys: ReadonlyMap<string, KeyObject | undefined>
  /** The last seq looked at; undefined when there was none. */
  last: number | undefined
}

/** Of payloads at once: agents choose how large each is. One entry is always read, however large. */
const MAX_BYTES = 16 * 1024 * 1024

/** The last of these entries up to which not too much is read at once. */
async function lastWithin(reads: ReadStore, [from, to]: [number, number], names: readonly string[]): Promise<number> {
  let total = 0
  for (const { seq, bytes } of await reads.payloadSizes(from, to, names)) {
    if (total > 0 && total + bytes > MAX_BYTES) return seq - 1
    total += bytes
  }
  return to
}

export async function readSealed(reads: ReadStore, dataKeys: DataKeys, query: SealedQuery): Promise<SealedEntries> {
  const { after, upTo, limit, ids, names } = query
  const found = (await reads.entries(after + 1, limit)).filter(({ seq }) => seq <= upTo)
  const ends = [found[0]?.seq, found.at(-1)?.seq]
  const last = ends[0] === undefined || ends[1] === undefined ? undefined : await lastWithin(reads, [ends[0], ends[1]], names)
  const wanted = found.filter(({ seq, id }) => seq <= (last ?? -1) && isId(ids, id ?? ''))
  const [from, to] = [wanted[0]?.seq, wanted.at(-1)?.seq]
  const bySeq = new Map<number, SealedPayload[]>(wanted.map(({ seq }) => [seq, []]))
  const keys = new Map<string, KeyObject | undefined>()
  const destroyed = new Set<string>()
  for (const { seq, ...payload } of from === undefined || to === undefined ? [] : await reads.payloads(from, to, names)) {
    const { subject } = payload
    bySeq.get(seq)?.push(payload)
    if (keys.has(subject) || destroyed.has(subject)) continue
    try {
      const key = await dataKeys.find(subject)
      if (key) keys.set(subject, key)
      else destroyed.add(subject)
    } catch (error) {
      // One key that somebody took away must not keep the others from being looked at.
      if (!(error instanceof Fault && error.code === 'STORE_CORRUPT')) throw error
      keys.set(subject, undefined)
    }
  }
  return { entries: wanted.map((row) => ({ row, payloads: bySeq.get(row.seq) ?? [] })), keys, last }
}

export type Commitments = Readonly<Record<string, Commitment>>

/** What an entry's body commits to, by the payloads' names. */
export function commitmentsOf(body: JsonObject): Commitments {
  return (body['commitments'] ?? {}) as Commitments
}

const corrupt = (name: string, seq: number) =>
  new Fault('STORE_CORRUPT', `the payload ${name} of entry ${seq} is not the one that was committed to`)

/** The entry that the payloads belong to: its body names the tenant whose they are. */
type Sealing = { seq: number; body: JsonObject }

/** @throws Fault STORE_CORRUPT when the body says that these payloads are sealed under another key */
export function checkKey({ name, subject }: SealedPayload, { seq, body }: Sealing): void {
  // Entries of before say nothing of keys.
  const keys = body['keys'] as Record<string, string> | undefined
  if (keys !== undefined && keys[subject] !== name) throw corrupt(name, seq)
}

/** All that is sealed together. @throws Fault STORE_CORRUPT */
export function openTogether(key: KeyObject, { name, subject, sealed }: SealedPayload, { seq, body }: Sealing): Uint8Array {
  const [first = ''] = name.split(' ')
  const commitment = commitmentsOf(body)[first]
  if (!commitment) throw corrupt(first, seq)
  return openEnvelope(key, aboutPayload(body['tenant'] as string, commitment.sha256, name, subject), sealed)
}

/** @throws Fault STORE_CORRUPT when it is not what was committed to. */
export function readTogether(plain: Uint8Array, together: string, commitments: Commitments, name: string, seq: number): Json {
  let at = 0
  for (const one of together.split(' ')) {
    const commitment = commitments[one]
    if (!commitment) throw corrupt(one, seq)
    const [text, end] = [at + SALT_BYTES, at + SALT_BYTES + commitment.bytes]
    if (one === name) {
      const bytes = plain.subarray(text, end)
      if (!verifyCommitment(commitment, plain.subarray(at, text), bytes)) throw corrupt(name, seq)
      return JSON.parse(fromUtf8(bytes)) as Json
    }
    at = end
  }
  throw corrupt(name, seq)
}

export type OpenedEntry = {
  body: JsonObject
  /** By name; undefined where there is none by that name, or its key was destroyed. */
  payload(name: string): Json | undefined
}

/**
 * What one of them says.
 * @throws Fault STORE_CORRUPT when the entry is not what was hashed; so does `payload` for one that is missing or was changed.
 */
export function openSealed({ row, payloads }: SealedEntries['entries'][number], keys: SealedEntries['keys']): OpenedEntry {
  const { seq, body } = toEntry(row)
  const commitments = commitmentsOf(body)
  const opened = new Map<SealedPayload, Uint8Array>()
  return {
    body,
    payload(name) {
      if (!Object.hasOwn(commitments, name)) return undefined
      const stored = payloads.find((one) => one.name.split(' ').includes(name))
      if (!stored) throw new Fault('STORE_CORRUPT', `the payload ${name} of entry ${seq} is missing`)
      checkKey(stored, { seq, body })
      if (!keys.has(stored.subject)) return undefined
      const key = keys.get(stored.subject)
      if (!key) throw new Fault('STORE_CORRUPT', `the key of the payload ${name} of entry ${seq} is gone, and no entry says why`)
      const plain = opened.get(stored) ?? openTogether(key, stored, { seq, body })
      opened.set(stored, plain)
      return readTogether(plain, stored.name, commitments, name, seq)
    },
  }
}
