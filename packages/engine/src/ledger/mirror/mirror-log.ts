/** Brings a mirror up to the log: what it holds is held against the log first, tiles come before the checkpoint over them. */
import { Fault } from '@ephor/contract'
import { fromUtf8, readCheckpoint, sameBytes, tilePath, TILE_WIDTH, utf8 } from '@ephor/proof'
import type { TilePlace } from '@ephor/proof'
import { exportMetadata } from '../export-ledger.ts'
import type { MirrorTarget } from './target.ts'

/** The log as it is now: a ledger, or an export of one. */
export type MirrorSource = {
  origin: string
  verifierKey: string
  head(): Promise<{ size: number; checkpoint: string }>
  file(path: string): Promise<Uint8Array | undefined>
  /**
   * Whether the log begins with what a mirror's checkpoint covers. What contradicts it and was signed by its key proves a fork.
   * @returns what is wrong, in words; undefined when nothing is
   */
  contradiction(note: string): Promise<string | undefined>
  /** Sizes with a timestamp, the largest first. */
  stamped(): AsyncIterable<number>
}

export type Mirrored = { size: number; written: number }

/** How many objects are on their way at once. */
const PARALLEL = 8

const differs = (what: string) => new Fault('MIRROR_DIFFERS', what)

/** The tiles and bundles that a log of `size` has and one of `earlier` has not, bundles first; a partial one comes again as it widens. */
export function* tilesBetween(earlier: number, size: number): Generator<TilePlace> {
  function* of(level: TilePlace['level'], had: number, has: number): Generator<TilePlace> {
    if (has === had) return
    for (let index = Math.floor(had / TILE_WIDTH); index * TILE_WIDTH < has; index++)
      yield { level, index, width: Math.min(TILE_WIDTH, has - index * TILE_WIDTH) }
  }
  yield* of('entries', earlier, size)
  for (let level = 0, had = earlier, has = size; has > 0; level++, had = Math.floor(had / TILE_WIDTH), has = Math.floor(has / TILE_WIDTH))
    yield* of(level, had, has)
}

async function inParallel<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const left = items[Symbol.iterator]()
  const failed = new AbortController()
  const worker = async () => {
    try {
      for (let next = left.next(); !next.done && !failed.signal.aborted; next = left.next()) await work(next.value)
    } catch (error) {
      failed.abort()
      throw error
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
}

/** Makes sure, once, that the place is this log's. @param now ms since 1970 @throws Fault CONFLICT, MIRROR_UNAVAILABLE */
export async function claimMirror(source: MirrorSource, target: MirrorTarget, now: number): Promise<void> {
  const metadata = utf8(exportMetadata(source.origin, source.verifierKey, now))
  if (await target.putOnce('ephor.json', metadata)) return
  const there = await target.get('ephor.json')
  const { origin } = JSON.parse(fromUtf8(there?.bytes ?? utf8('{}'))) as { origin?: unknown }
  if (origin !== source.origin) throw new Fault('CONFLICT', `${target.name} holds something other than a mirror of this ledger`)
}

/** @returns how many were written: from the newest back to one that is there, since older ones were written before it */
async function mirrorStamps(source: MirrorSource, target: MirrorTarget): Promise<number> {
  const missing: number[] = []
  for await (const size of source.stamped()) {
    if (await target.has(`timestamps/${size}.tsr`)) break
    missing.push(size)
  }
  for (const size of missing.toReversed())
    for (const path of [`timestamps/${size}.checkpoint`, `timestamps/${size}.tsr`]) {
      const bytes = await source.file(path)
      if (bytes && !(await target.putOnce(path, bytes))) throw differs(`${target.name} holds another ${path}`)
    }
  return missing.length * 2
}

/**
 * @param signal breaks it off between two objects; the next call goes on
 * @throws Fault MIRROR_DIFFERS when the mirror holds something that this log contradicts; nothing is overwritten then.
 *   CONFLICT when another log is there, or another writer was faster. MIRROR_UNAVAILABLE.
 */
export async function mirrorLog(source: MirrorSource, target: MirrorTarget, signal?: AbortSignal): Promise<Mirrored> {
  const earlier = await target.get('checkpoint')
  const note = earlier && fromUtf8(earlier.bytes)
  const wrong = note === undefined ? undefined : await source.contradiction(note)
  if (wrong !== undefined) throw differs(`the checkpoint in ${target.name} is not of this ledger: ${wrong}`)
  const { size, checkpoint } = await source.head()
  let written = 0
  await inParallel(tilesBetween(note === undefined ? 0 : readCheckpoint(note).size, size), async (place) => {
    signal?.throwIfAborted()
    const path = tilePath(place)
    const bytes = await source.file(path)
    if (!bytes) throw new Fault('STORE_CORRUPT', `the ledger has no ${path}`)
    if (!(await target.putOnce(path, bytes))) throw differs(`${target.name} holds another ${path}: a fork, or somebody else writes there`)
    written++
  })
  for (const [path, text, there] of [
    ['ledger.vkey', `${source.verifierKey}\n`, await target.get('ledger.vkey')],
    // Last: until then the mirror is what it was.
    ['checkpoint', checkpoint, earlier],
  ] as const) {
    if (there && sameBytes(there.bytes, utf8(text))) continue
    if (!(await target.replace(path, utf8(text), there))) throw new Fault('CONFLICT', `another writer changed ${path} in ${target.name}`)
    written++
  }
  return { size, written: written + (await mirrorStamps(source, target)) }
}
