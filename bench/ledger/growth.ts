/** How a ledger grows: storage and the time of a proof from 10^4 entries on, and how long it takes to verify all of it. */
import { randomInt } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  fromHex,
  makeInclusion,
  parseVerifierKey,
  sha256,
  tilePath,
  tileReader,
  TileWriter,
  verifyInclusion,
  verifyLog,
  verifyTlogProof,
} from '@ephor/proof'
import { draftOf, inFolder, openLedgerWorld } from './worlds.ts'
import type { LedgerWorld } from './worlds.ts'

/** Appends that wait at once while a store is filled. */
const TOGETHER = 512
const PROOFS = 200

export type GrowthRow = {
  entries: number
  /** `store`: of a real store; `tiles`: hashes made in bulk, without a store. */
  of: 'store' | 'tiles'
  makeProofMs: number
  verifyProofMs: number
  proofHashes: number
  storeBytes?: number
  bytesAnEntry?: number
  /** Not measured: the store's bytes an entry times the entries. */
  storeBytesExpected?: number
}

export type VerificationRow = {
  entries: number
  exportMs: number
  wholeLogMs: number
  processorMs: number
  makeProofMs: number
  verifyProofMs: number
}

const round = (ms: number) => Math.round(ms * 1000) / 1000
const median = (values: number[]) => round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN)

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now()
  const value = await work()
  return [value, performance.now() - started]
}

async function fillTo({ ledger }: LedgerWorld, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += TOGETHER) {
    const together = Array.from({ length: Math.min(TOGETHER, to - at) }, (_, i) => draftOf(at + i, at + i, 'fill'))
    await Promise.all(together.map((draft) => ledger.append({ changes: [], entries: [draft] })))
  }
}

/** Of the database with its log of writes. */
function bytesIn(folder: string): number {
  return readdirSync(folder)
    .filter((name) => name.startsWith('store.db') && !name.endsWith('.lock'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

async function proofTimes({ ledger }: LedgerWorld, entries: number) {
  const key = parseVerifierKey(ledger.verifierKey)
  await ledger.head()
  const [making, verifying]: [number[], number[]] = [[], []]
  let hashes = 0
  for (let i = 0; i < PROOFS; i++) {
    const seq = randomInt(entries)
    const entry = await ledger.read(seq)
    const [proof, makeMs] = await timed(() => ledger.proof(seq))
    const [, verifyMs] = await timed(() => verifyTlogProof(proof, fromHex(entry?.leafHash ?? ''), key))
    making.push(makeMs)
    verifying.push(verifyMs)
    hashes = Math.max(hashes, proof.split('\n\n')[0]?.split('\n').slice(2).length ?? 0)
  }
  return { makeProofMs: median(making), verifyProofMs: median(verifying), proofHashes: hashes }
}

async function verifyAll({ ledger }: LedgerWorld, folder: string, entries: number): Promise<VerificationRow> {
  const to = join(folder, 'export')
  const [, exportMs] = await timed(() => ledger.exportTo(to))
  const source = { read: (path: string) => readFile(join(to, path)).catch(() => undefined) }
  const before = process.cpuUsage()
  const [verdict, wholeLogMs] = await timed(() => verifyLog(source, { vkey: ledger.verifierKey }))
  const { user, system } = process.cpuUsage(before)
  if (!verdict.ok || verdict.size < entries) throw new Error('the log of the bench does not verify')
  const { makeProofMs, verifyProofMs } = await proofTimes({ ledger } as LedgerWorld, entries)
  return {
    entries,
    exportMs: round(exportMs),
    wholeLogMs: round(wholeLogMs),
    processorMs: round((user + system) / 1000),
    makeProofMs,
    verifyProofMs,
  }
}

/** Tiles alone, kept in memory: what a proof costs where a store of that size would take too long to fill. */
async function tilesOnly(entries: number): Promise<Omit<GrowthRow, 'storeBytesExpected'>> {
  const tiles = new Map<string, Uint8Array>()
  const writer = new TileWriter(0, [], (place, bytes) => void tiles.set(tilePath(place), bytes))
  const leaf = (i: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32BE(i)
    return sha256(bytes)
  }
  for (let i = 0; i < entries; i++) writer.push(leaf(i))
  for (const { place, bytes } of writer.partial()) tiles.set(tilePath(place), bytes)
  const root = writer.root()
  const [making, verifying]: [number[], number[]] = [[], []]
  let hashes = 0
  for (let i = 0; i < PROOFS; i++) {
    const index = randomInt(entries)
    const read = tileReader(entries, (place) => Promise.resolve(tiles.get(tilePath(place)) ?? new Uint8Array()))
    const [proof, makeMs] = await timed(() => makeInclusion(index, entries, read))
    const [holds, verifyMs] = await timed(() => Promise.resolve(verifyInclusion(leaf(index), index, entries, root, proof)))
    if (!holds) throw new Error('a proof of the bench does not hold')
    making.push(makeMs)
    verifying.push(verifyMs)
    hashes = Math.max(hashes, proof.length)
  }
  return { entries, of: 'tiles', makeProofMs: median(making), verifyProofMs: median(verifying), proofHashes: hashes }
}

/** @param sizes of real stores, ascending; @param bulk of trees without a store */
export function benchGrowth(
  sizes: readonly number[],
  bulk: readonly number[],
): Promise<{ growth: GrowthRow[]; verification: VerificationRow[] }> {
  return inFolder(async (folder) => {
    const world = await openLedgerWorld({ folder })
    const growth: GrowthRow[] = []
    const verification: VerificationRow[] = []
    try {
      let filled = 0
      for (const entries of sizes) {
        await fillTo(world, filled, entries)
        filled = entries
        const times = await proofTimes(world, entries)
        const storeBytes = bytesIn(folder)
        growth.push({ entries, of: 'store', ...times, storeBytes, bytesAnEntry: Math.round(storeBytes / entries) })
      }
      verification.push(await verifyAll(world, folder, filled))
    } finally {
      await world.close()
    }
    const each = growth.at(-1)?.bytesAnEntry ?? 0
    for (const entries of bulk) growth.push({ ...(await tilesOnly(entries)), storeBytesExpected: each * entries })
    return { growth, verification }
  })
}
