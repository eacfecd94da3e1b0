/** A ledger on a real store in a scratch folder, for the tests of this room; on PostgreSQL with EPHOR_TEST_STORE=postgres. */
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadKeys, makeLog, systemClock } from '@ephor/engine/kernel'
import type { Clock, Store } from '@ephor/engine/kernel'
import Database from 'better-sqlite3'
import { Client } from 'pg'
import { freshDatabase, openTestStore, testsPostgres } from '../kernel/test-store.ts'
import { fileSigner, folderKeys, ledgerExtension, ledgerMigrations, openLedger } from './index.ts'
import type { AcceptedHistory, EntryDraft, Ledger, Signer, SigningKeys } from './index.ts'

export { testsPostgres }
export const ORIGIN = 'ledger.test/ephor'

/** `file`: the embedded store's. */
export type World = { folder: string; file: string; outside: string; store: Store; ledger: Ledger; close: () => Promise<void> }

export function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'ephor-ledger-'))
}

/** `module`: another extension module for the embedded store, which wraps the ledger's. `replica`: with files of its own, on the folder's store and keys. */
export type WorldOptions = {
  module?: URL
  signer?: Signer
  signingKeys?: SigningKeys
  tenant?: string
  replica?: string
  clock?: Clock
  accept?: AcceptedHistory
}

export async function openWorld(
  folder = scratch(),
  { module, signer, signingKeys, tenant = 'default', replica, clock = systemClock, accept }: WorldOptions = {},
): Promise<World> {
  const keyFolder = join(folder, 'keys')
  const keys = loadKeys(keyFolder)
  const outside = join(folder, replica === undefined ? 'checkpoint' : `checkpoint-${replica}`)
  const extension = ledgerExtension({ outside })
  const store = await openTestStore({
    folder,
    tenant,
    migrations: [ledgerMigrations],
    extension: module ? { ...extension, module } : extension,
  })
  try {
    const ledger = await openLedger({
      store,
      keys,
      signer: signer ?? fileSigner(keys.ledger),
      signingKeys: signingKeys ?? folderKeys(keyFolder, tenant),
      origin: ORIGIN,
      clock,
      log: makeLog('silent'),
      outside,
      ...(accept ? { accept } : {}),
    })
    return {
      folder,
      file: join(folder, 'store.db'),
      outside,
      store,
      ledger,
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

const urlOf = (folder: string) => readFileSync(join(folder, 'store.url'), 'utf8')

async function onDatabase<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** A closed ledger once more: store, keys and checkpoint. */
export async function copyWorld(folder: string): Promise<string> {
  const copy = scratch()
  cpSync(join(folder, 'keys'), join(copy, 'keys'), { recursive: true })
  copyFileSync(join(folder, 'checkpoint'), join(copy, 'checkpoint'))
  await copyStore(folder, copy)
  return copy
}

/** The store alone, over what is there. */
export async function copyStore(from: string, to: string): Promise<void> {
  if (!testsPostgres) return copyFileSync(join(from, 'store.db'), join(to, 'store.db'))
  const { url } = await freshDatabase()
  const [name, template] = [url, urlOf(from)].map((one) => new URL(one).pathname.slice(1))
  const server = new URL(url)
  server.pathname = '/postgres'
  await onDatabase(server.href, async (client) => {
    await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`)
  })
  writeFileSync(join(to, 'store.url'), url)
}

/** As somebody who can write the database. `ZEROS(n)` are n bytes of zero. @returns rows changed */
export async function alter(folder: string, sql: string): Promise<number> {
  if (testsPostgres) {
    const text = sql.replaceAll(/ZEROS\((\d+)\)/g, (_, n: string) => `decode(repeat('00', ${n}), 'hex')`).replaceAll('char(10)', 'chr(10)')
    return onDatabase(urlOf(folder), async (client) => (await client.query(text)).rowCount ?? 0)
  }
  const file = join(folder, 'store.db')
  if (!existsSync(file)) throw new Error('no store')
  const db = new Database(file)
  try {
    return db.prepare(sql.replaceAll('ZEROS(', 'zeroblob(')).run().changes
  } finally {
    db.close()
  }
}

export function decision(id: string, input = 'payload', subject = 'agt_1'): EntryDraft {
  return {
    type: 'decision',
    id,
    body: { effect: 'permit', reasons: ['permit-reads'] },
    payloads: [{ name: 'input', subject, value: { text: input } }],
  }
}

/** Appends decisions with ids `<prefix>0` … one after another in batches. */
export async function appendMany(ledger: Ledger, count: number, prefix = 'd'): Promise<void> {
  for (let at = 0; at < count; at += 100) {
    const ids = Array.from({ length: Math.min(100, count - at) }, (_, i) => `${prefix}${at + i}`)
    await Promise.all(ids.map((id) => ledger.append({ changes: [], entries: [decision(id)] })))
  }
}
