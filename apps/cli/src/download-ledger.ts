/** Copies the ledger of a running server into a folder that verifies by itself. */
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Fault } from '@ephor/contract'
import { tilePath, tilesOf } from '@ephor/proof'
import { toFault } from '@ephor/sdk'
import type { Connection } from './connection.ts'

/** The timestamps of checkpoints up to a size, and beside each what was stamped. */
async function listStamped(client: Connection['client'], upTo: number): Promise<string[]> {
  const paths: string[] = []
  for (let cursor: string | undefined; ;) {
    const { items, next } = await client.listTimestamps({ query: { limit: '500', ...(cursor !== undefined && { cursor }) } })
    paths.push(
      ...items.filter(({ size }) => size <= upTo).flatMap(({ size }) => [`timestamps/${size}.checkpoint`, `timestamps/${size}.tsr`]),
    )
    if (next === undefined) return paths
    cursor = next
  }
}

/** @throws Fault CONFLICT when the folder holds something already: a copy is never mixed with anything else. */
export async function downloadLedger({ url, options, client }: Connection, folder: string): Promise<{ size: number; files: number }> {
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new Fault('CONFLICT', `${folder} is not empty; choose another folder`, { where: folder })
  const { size, origin, verifierKey, checkpoint } = await client.getLedgerHead()
  let files = 0
  function write(path: string, content: Uint8Array | string): void {
    const file = join(folder, ...path.split('/'))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    files++
  }
  const metadata = { format: 'ephor-ledger-export@v1', origin, verifierKey, exportedAt: new Date().toISOString() }
  write('ephor.json', `${JSON.stringify(metadata, undefined, 2)}\n`)
  write('ledger.vkey', `${verifierKey}\n`)
  const stamped = await listStamped(client, size)
  for (const path of [...[...tilesOf(size)].map(tilePath), ...stamped]) {
    const bearer = await options.bearer?.()
    const response = await fetch(`${url}/ledger/${path}`, { headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` } })
    if (!response.ok) throw await toFault(response)
    write(path, new Uint8Array(await response.arrayBuffer()))
  }
  // The checkpoint last and at once: a copy that broke off has none.
  write('checkpoint.new', checkpoint)
  renameSync(join(folder, 'checkpoint.new'), join(folder, 'checkpoint'))
  return { size, files }
}
