/** Signs entries as evidence: each with the proof that it is in the ledger, the checkpoint, and the keys that lead to it. */
import { setImmediate as turn } from 'node:timers/promises'
import { Fault } from '@ephor/contract'
import {
  leafHash,
  makeConsistency,
  makeInclusion,
  readCheckpoint,
  signEvidence,
  tileReader,
  toBase64,
  utf8,
  verifyConsistency,
  verifyInclusion,
} from '@ephor/proof'
import type { Checkpoint, DsseEnvelope, EvidenceEntry, EvidencePredicate, EvidenceTimestamp } from '@ephor/proof'
import type { Store } from '@ephor/engine/kernel'
import { keyChangeId } from '../keys/key-chain.ts'
import type { KeyChain } from '../keys/key-chain.ts'
import type { Signers } from '../keys/signing-keys.ts'
import { readPlace } from '../log-files.ts'
import type { ReadStore } from '../store.ts'
import { stampOver } from '../timestamps/timestamps-store.ts'
import { toEntry } from '../to-entry.ts'

/** `text`: the body as it was hashed. Without `filter`, every entry of the range. */
export type EvidenceRequest = Pick<EvidencePredicate, 'range' | 'filter'> & { entries: readonly { seq: number; text: string }[] }

export type EvidenceRooms = { store: Store; reads: ReadStore; chain: KeyChain; signers: Signers }

/** Tiles that are kept at hand: neighbours share nearly all of them. */
const MAX_TILES = 512

function tilesAtHand(reads: ReadStore, size: number) {
  const known = new Map<string, Uint8Array>()
  return tileReader(size, async (place) => {
    const name = `${place.level}/${place.index}`
    let tile = known.get(name)
    if (!tile) {
      tile = await readPlace(reads, place)
      if (!tile) throw new Fault('STORE_CORRUPT', `a tile of level ${place.level} is missing`)
      if (known.size >= MAX_TILES) known.clear()
      known.set(name, tile)
    }
    return tile
  })
}

async function prove(
  entries: EvidenceRequest['entries'],
  { size, root }: Checkpoint,
  read: ReturnType<typeof tilesAtHand>,
): Promise<EvidenceEntry[]> {
  const proved: EvidenceEntry[] = []
  for (const [i, { seq, text }] of entries.entries()) {
    const hashes = await makeInclusion(seq, size, read)
    if (!verifyInclusion(leafHash(utf8(text)), seq, size, root, hashes))
      throw new Fault('STORE_CORRUPT', `the tree does not prove entry ${seq}`)
    proved.push({ seq, body: text, proof: hashes.map(toBase64) })
    if (i % 64 === 63) await turn()
  }
  return proved
}

/** What the log itself says about its keys, up to there. */
async function keyEntries(reads: ReadStore, size: number): Promise<{ seq: number; text: string }[]> {
  const found: { seq: number; text: string }[] = []
  for (let n = 0; ; n++) {
    const row = await reads.entryById(keyChangeId(n))
    if (!row || row.seq >= size) return found
    toEntry(row)
    found.push({ seq: row.seq, text: row.body })
  }
}

/** The time stamp that says most of the range, with the proof that what was stamped is the beginning of this tree. */
async function stamped(
  store: Store,
  { first, end }: EvidencePredicate['range'],
  { size, root }: Checkpoint,
  read: ReturnType<typeof tilesAtHand>,
): Promise<EvidenceTimestamp[]> {
  const stamp = await stampOver(store, { first, end, size })
  if (!stamp) return []
  const of = readCheckpoint(stamp.note)
  const hashes = await makeConsistency(of.size, size, read)
  if (!verifyConsistency(of.size, size, of.root, root, hashes))
    throw new Fault('STORE_CORRUPT', `the time stamp over ${stamp.size} entries is not of this ledger`)
  return [{ checkpoint: stamp.note, token: toBase64(new Uint8Array(stamp.token)), proof: hashes.map(toBase64) }]
}

/**
 * @param note the checkpoint that all proofs lead to, with the cosignatures that are known
 * @throws Fault STORE_CORRUPT when the stored tree does not prove an entry; SIGNER_UNAVAILABLE
 */
export async function makeEvidence(
  { store, reads, chain, signers }: EvidenceRooms,
  note: string,
  request: EvidenceRequest,
): Promise<DsseEnvelope> {
  const checkpoint = readCheckpoint(note)
  const key = chain.at(checkpoint.size)
  const signer = await signers.for(key)
  const read = tilesAtHand(reads, checkpoint.size)
  const timestamps = await stamped(store, request.range, checkpoint, read)
  const predicate: EvidencePredicate = {
    origin: chain.origin,
    keys: chain.all.slice(0, chain.all.indexOf(key) + 1).map(({ vkey }) => vkey),
    keyEntries: await prove(await keyEntries(reads, checkpoint.size), checkpoint, read),
    checkpoint: note,
    range: request.range,
    ...(request.filter && { filter: request.filter }),
    entries: await prove(request.entries, checkpoint, read),
    ...(timestamps.length > 0 && { timestamps }),
  }
  return signEvidence(predicate, signer.sign)
}
