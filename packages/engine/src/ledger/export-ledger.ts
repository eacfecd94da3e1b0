/** Writes the ledger as a folder that verifies by itself: the files of a tiled log, the verifier key, and what it is. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Fault } from '@ephor/contract'
import { isoTime } from '@ephor/engine/kernel'
import { readCheckpoint, tilePath, tilesOf } from '@ephor/proof'
import type { KeyChain } from './keys/key-chain.ts'
import { readPlace } from './log-files.ts'
import type { ReadStore } from './store.ts'

const FORMAT = 'ephor-ledger-export@v1'

export type ExportedFile = { path: string; bytes: Uint8Array }

/** `note`: the checkpoint that the export will have. `at`: ms since 1970. `beside`: what is published with the log. */
export type ExportOf = { chain: KeyChain; note: string; at: number; beside: AsyncIterable<ExportedFile> }

/** The text of `ephor.json`. `at`: ms since 1970. */
export function exportMetadata(origin: string, verifierKey: string, at: number): string {
  return `${JSON.stringify({ format: FORMAT, origin, verifierKey, exportedAt: isoTime(at) }, undefined, 2)}\n`
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}

function foreign(folder: string, why: string): Fault {
  return new Fault('CONFLICT', `${folder} ${why}; choose an empty folder`, { where: folder })
}

function readMetadata(text: string | undefined): { format?: unknown; origin?: unknown; verifierKey?: unknown } {
  try {
    return Object(JSON.parse(text ?? '{}')) as object
  } catch {
    return {}
  }
}

/**
 * The size of the export that is already there, 0 when there is none.
 * @throws Fault CONFLICT when the folder is not ours to write into.
 */
async function earlierSize(folder: string, { chain, note }: ExportOf): Promise<number> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error.code === 'ENOTDIR' ? foreign(folder, 'is not a folder') : error
  })
  if (names.length === 0) return 0
  const metadata = readMetadata(await readIfThere(join(folder, 'ephor.json')))
  // The key may have been rotated since.
  const known = chain.all.some(({ vkey }) => vkey === metadata.verifierKey)
  if (metadata.format !== FORMAT || metadata.origin !== chain.origin || !known)
    throw foreign(folder, 'holds something other than an export of this ledger')
  // An export that was interrupted has no checkpoint yet.
  const earlier = await readIfThere(join(folder, 'checkpoint'))
  if (earlier === undefined) return 0
  const checkpoint = await chain.verify(earlier, 'the checkpoint').catch(() => undefined)
  if (!checkpoint || checkpoint.size > readCheckpoint(note).size) throw foreign(folder, 'holds an export that this ledger did not make')
  return checkpoint.size
}

/** @throws Fault CONFLICT (see earlierSize), STORE_CORRUPT when the stored ledger is not whole. */
export async function exportLedger(reads: ReadStore, of: ExportOf, folder: string): Promise<{ size: number; files: number }> {
  const earlier = await earlierSize(folder, of)
  const { size } = readCheckpoint(of.note)
  const verifierKey = of.chain.at(size).vkey
  await mkdir(folder, { recursive: true })
  let files = 0
  async function write(path: string, content: Uint8Array | string): Promise<void> {
    const file = join(folder, ...path.split('/'))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    files++
  }
  await write('ephor.json', exportMetadata(of.chain.origin, verifierKey, of.at))
  await write('ledger.vkey', `${verifierKey}\n`)
  const paths = new Set<string>()
  for (const place of tilesOf(size)) {
    const path = tilePath(place)
    const bytes = await readPlace(reads, place)
    if (!bytes) throw new Fault('STORE_CORRUPT', `the ledger has no ${path}`)
    await write(path, bytes)
    paths.add(path)
  }
  for await (const { path, bytes } of of.beside) await write(path, bytes)
  // The checkpoint last and at once: until then the folder is what it was.
  await write('checkpoint.new', of.note)
  await rename(join(folder, 'checkpoint.new'), join(folder, 'checkpoint'))
  for (const path of [...tilesOf(earlier)].map(tilePath)) if (!paths.has(path)) await rm(join(folder, ...path.split('/')), { force: true })
  return { size, files }
}
