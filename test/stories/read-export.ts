/** Exports a ledger by the command line, has it verified offline, and reads its entries without any of Ephor's rooms. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeBundle, leafHash, parseVerifierKey, readCheckpoint, tilePath, tilesOf, toHex } from '@ephor/proof'
import type { VerifierKey } from '@ephor/proof'
import { expect } from 'vitest'
import { runCli, runVerifier } from './programs.ts'

export type Body = Record<string, unknown> & { type: string; id?: string }
export type Exported = { size: number; key: VerifierKey; entries: { leafHash: string; body: Body }[] }

/** @param home of a running server, or of one that was stopped */
export async function readExport(home: string, folder: string): Promise<Exported> {
  expect(await runCli(home, 'ledger', 'export', folder)).toMatchObject({ code: 0, err: '' })
  expect(await runVerifier(folder)).toMatchObject({ code: 0, out: expect.stringMatching(/^Verified: /) })
  const read = (path: string) => readFileSync(join(folder, path))
  const { size } = readCheckpoint(read('checkpoint').toString())
  const leaves = [...tilesOf(size)].filter(({ level }) => level === 'entries').flatMap((place) => decodeBundle(read(tilePath(place))))
  const entries = leaves.map((leaf) => ({
    leafHash: toHex(leafHash(leaf)),
    body: JSON.parse(Buffer.from(leaf).toString()) as Body,
  }))
  return { size, key: parseVerifierKey(read('ledger.vkey').toString().trim()), entries }
}
