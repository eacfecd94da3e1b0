/** A ledger on a real store for tests of faults, and what has to hold of it after each: nothing acknowledged is lost, nothing is there twice. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadKeys, makeLog, openPostgres, openSqlite, systemClock } from '@ephor/engine/kernel'
import { fileSigner, ledgerExtension, ledgerMigrations, openLedger } from '@ephor/engine/ledger'
import type { EntryDraft, Ledger } from '@ephor/engine/ledger'
import { verifyLog } from '@ephor/proof'
import { expect } from 'vitest'

/** `home`: of this process; `keys`: shared by all replicas; `url`: of the database, embedded without. */
export type Place = { home: string; keys?: string; url?: string | undefined }

/** What a client was told. */
export type Acknowledged = { id: string; seq: number; leafHash: string }

export async function openWorld({ home, keys: folder = home, url }: Place) {
  const keys = loadKeys(join(folder, 'keys'))
  const outside = join(home, 'checkpoint')
  const extension = ledgerExtension({ outside })
  const migrations = [ledgerMigrations]
  const store =
    url === undefined
      ? await openSqlite({ file: join(home, 'store.db'), migrations, extension })
      : await openPostgres({ url, migrations, extension, poolSize: 2 })
  try {
    const signer = fileSigner(keys.ledger)
    const rooms = { store, keys, signer, origin: 'faults.example/ledger', clock: systemClock, log: makeLog('silent'), outside }
    const ledger = await openLedger(rooms)
    return {
      ledger,
      store,
      async close() {
        await ledger.close()
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Parts of a decision and its outcome, which must be there together or not at all. */
export function partOf(id: string): EntryDraft[] {
  const input = { name: 'input', subject: `agt_${id.length % 4}`, value: { text: id.repeat(20) } }
  return [
    { type: 'decision', id, body: { effect: 'permit', reasons: ['a story of faults'] }, payloads: [input] },
    { type: 'outcome', id: `${id}/outcome`, body: { decision: id, status: 'succeeded' } },
  ]
}

/** PostgreSQL may still be committing for a replica that is dead: what it did counts, once it is done. */
async function readAll(ledger: Ledger) {
  for (let turn = 1; ; turn++) {
    const { size } = await ledger.head()
    const entries = await ledger.list({ limit: size + 10_000 })
    if (entries.length === size || turn === 10) return { size, entries }
    await sleep(200)
  }
}

/** Opens the ledger again, without the fault, and looks at all of it. @returns its entries' ids in order */
export async function expectWhole(place: Place, acknowledged: readonly Acknowledged[]): Promise<string[]> {
  const world = await openWorld(place)
  const { ledger } = world
  try {
    const { size, entries } = await readAll(ledger)
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: size }, (_, i) => i))
    const ids = entries.map(({ body }) => body['id'] as string)
    expect(new Set(ids).size).toBe(size)
    for (const { id, seq, leafHash } of acknowledged) expect(entries[seq]).toMatchObject({ leafHash, body: { id } })
    // A part is whole: each decision has its outcome right behind it.
    expect(entries.filter(({ body }, i) => body['type'] === 'decision' && ids[i + 1] !== `${ids[i]}/outcome`)).toEqual([])
    await expect(ledger.payload(0, 'input')).resolves.toMatchObject({ text: expect.any(String) })
    const folder = join(place.home, 'export')
    await ledger.exportTo(folder)
    const read = (path: string) => Promise.resolve(existsSync(join(folder, path)) ? readFileSync(join(folder, path)) : undefined)
    await expect(verifyLog({ read }, { vkey: ledger.verifierKey })).resolves.toMatchObject({ ok: true, size })
    return ids
  } finally {
    await world.close()
  }
}
