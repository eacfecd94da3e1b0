/** What can be mirrored: the ledger of a running server, or a folder that holds an export of one. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readdirSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import type { Store } from '@ephor/engine/kernel'
import {
  fromUtf8,
  makeConsistency,
  parseVerifierKey,
  readCheckpoint,
  tilePath,
  tileReader,
  verifyCheckpoint,
  verifyConsistency,
} from '@ephor/proof'
import { listTimestamps } from '../timestamps/timestamps-store.ts'
import type { Ledger } from '../types.ts'
import type { MirrorSource } from './mirror-log.ts'

const MANY = 1_000_000

/** A fork that a mirror shows is recorded and stops the ledger, as one that a witness shows. */
export function ledgerSource(store: Store, ledger: Ledger, name: string): MirrorSource {
  return {
    origin: ledger.origin,
    get verifierKey() {
      return ledger.verifierKey
    },
    head: () => ledger.head(),
    file: (path) => ledger.file(path),
    async contradiction(note) {
      const compared = await ledger.forks.compare(note, name)
      return compared.kind === 'foreign' || compared.kind === 'forked' ? compared.detail : undefined
    },
    async *stamped() {
      for (const { size } of (await listTimestamps(store, -1, MANY)).toReversed()) yield size
    },
  }
}

/** @param folder a whole export @throws Fault NOT_FOUND */
export async function exportSource(folder: string): Promise<MirrorSource> {
  const file = (path: string) => readFile(join(folder, ...path.split('/'))).catch(() => undefined)
  const text = async (path: string) => {
    const bytes = await file(path)
    if (!bytes) throw new Fault('NOT_FOUND', `${folder} has no ${path}`)
    return fromUtf8(bytes)
  }
  const verifierKey = (await text('ledger.vkey')).trim()
  const checkpoint = await text('checkpoint')
  const { origin, size, root } = readCheckpoint(checkpoint)
  const read = tileReader(size, async (place) => {
    const tile = await file(tilePath(place))
    if (!tile) throw new Fault('NOT_FOUND', `${folder} has no ${tilePath(place)}`)
    return tile
  })
  return {
    origin,
    verifierKey,
    head: () => Promise.resolve({ size, checkpoint }),
    file,
    async contradiction(note) {
      const there = await verifyCheckpoint(note, parseVerifierKey(verifierKey)).catch((error: unknown) => (error as Error).message)
      if (typeof there === 'string') return there
      if (there.size > size) return `it covers ${there.size} entries, and the export has ${size}`
      const proof = await makeConsistency(there.size, size, read)
      return verifyConsistency(there.size, size, there.root, root, proof) ? undefined : 'it covers other entries'
    },
    async *stamped() {
      let names: string[] = []
      try {
        names = readdirSync(join(folder, 'timestamps'))
      } catch {
        // An export without timestamps has no such folder.
      }
      const sizes = names.filter((name) => name.endsWith('.tsr')).map((name) => Number.parseInt(name, 10))
      yield* sizes.toSorted((a, b) => b - a)
    },
  }
}
