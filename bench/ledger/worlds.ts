/** What is measured: the ledger on either store, and the plain store that gets the same rows from the same committer. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadKeys, makeLog, openPostgres, openSqlite, systemClock } from '@ephor/engine/kernel'
import type { Migrations, Store } from '@ephor/engine/kernel'
import { fileSigner, ledgerExtension, ledgerMigrations, openLedger } from '@ephor/engine/ledger'
import type { EntryDraft, Ledger } from '@ephor/engine/ledger'
import { Client } from 'pg'

const plainMigrations: Migrations = { room: 'bench', folder: new URL('./migrations/', import.meta.url) }

/** Where a store is: the URL of a database, or a file in the folder. */
export type Place = { folder: string; url?: string | undefined }

export type LedgerWorld = { ledger: Ledger; store: Store; close(): Promise<void> }

/** An id is 26 characters behind its prefix, as in the product. */
const idOf = (caller: number, turn: number, run: string) => `dec_${run}${String(caller).padStart(6, '0')}${String(turn).padStart(12, '0')}`

/** As a decision of the broker looks: some 600 bytes of body, 300 of payload. */
export function draftOf(caller: number, turn: number, run: string): EntryDraft {
  const agent = `agt_01kf${String(caller % 32).padStart(22, '0')}`
  return {
    type: 'decision',
    id: idOf(caller, turn, run),
    body: {
      agent,
      person: 'per_01kf0000000000000000000000',
      server: 'files',
      action: 'files/read_text_file',
      effect: 'permit',
      policies: ['permit-reads', 'within-folders'],
      reasons: ['reads within the folders of the server are permitted'],
      risk: { score: 12, of: ['read', 'low'] },
      version: 'sha256:4f8c2f6a0f0e4b7d9f6c1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f',
      door: 'mcp',
    },
    payloads: [
      {
        name: 'input',
        subject: agent,
        value: { path: `/srv/reports/${caller}/${turn}.md`, note: 'n'.repeat(220), lines: [1, 200] },
      },
    ],
  }
}

/** @param sharedKeys the folder with the keys, where several replicas share them */
export async function openLedgerWorld({ folder, url }: Place, sharedKeys = folder): Promise<LedgerWorld> {
  const keys = loadKeys(join(sharedKeys, 'keys'))
  const outside = join(folder, 'checkpoint')
  const extension = ledgerExtension({ outside })
  const migrations = [ledgerMigrations]
  const store =
    url === undefined
      ? await openSqlite({ file: join(folder, 'store.db'), migrations, extension })
      : await openPostgres({ url, migrations, extension })
  const log = makeLog('error')
  const signer = fileSigner(keys.ledger)
  const ledger = await openLedger({ store, keys, signer, origin: 'bench.example/ledger', clock: systemClock, log, outside })
  return {
    ledger,
    store,
    async close() {
      await ledger.close()
      await store.close()
    },
  }
}

const INSERT_ENTRY = 'INSERT INTO ledger_plain_entry (tenant, seq, id, leaf_hash, body) VALUES (@tenant, ?, ?, ?, ?)'
const INSERT_PAYLOAD = 'INSERT INTO ledger_plain_payload (tenant, seq, name, subject, sealed) VALUES (@tenant, ?, ?, ?, ?)'

/** The rows as the ledger would store them for `draftOf`, made of bytes that are there already. */
export async function openPlainWorld({ folder, url }: Place) {
  const migrations = [plainMigrations]
  const store =
    url === undefined ? await openSqlite({ file: join(folder, 'store.db'), migrations }) : await openPostgres({ url, migrations })
  const sample = draftOf(1, 1, 'sample')
  const commitment = { sha256: `sha256:${randomBytes(32).toString('hex')}`, bytes: 289 }
  const body = { ...sample.body, v: 1, type: sample.type, id: sample.id, at: new Date(0).toISOString(), tenant: store.tenant }
  const text = JSON.stringify({ ...body, commitments: { input: commitment }, keys: { agent: 'input' } })
  const [hash, sealed] = [randomBytes(32), randomBytes(28 + 32 + 289)]
  let seq = 0
  return {
    store,
    async insert(caller: number, turn: number, run: string): Promise<void> {
      const at = seq++
      await store.commit({
        changes: [
          { sql: INSERT_ENTRY, params: [at, idOf(caller, turn, run), hash, text] },
          { sql: INSERT_PAYLOAD, params: [at, 'input', `agt_01kf${String(caller % 32).padStart(22, '0')}`, sealed] },
        ],
      })
    },
    bytes: { body: text.length, payload: sealed.length },
    close: () => store.close(),
  }
}

export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-bench-ledger-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Where the bench may make databases: BENCH_POSTGRES, or the server on this machine. */
const SERVER = process.env['BENCH_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/postgres'

async function onServer<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: SERVER, connectionTimeoutMillis: 2000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** What the server says that it is, with what decides how durable a commit is; undefined when none answers. */
export function describePostgres(): Promise<Record<string, string> | undefined> {
  return onServer(async (client) => {
    const names = ['server_version', 'fsync', 'synchronous_commit', 'wal_sync_method', 'shared_buffers']
    const shown = names.map((name) => `current_setting('${name}') AS ${name}`)
    return (await client.query<Record<string, string>>(`SELECT ${shown.join(', ')}`)).rows[0]
  }).catch(() => undefined)
}

export async function inDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
  const name = `ephor_bench_${process.pid}_${Date.now().toString(36)}`
  await onServer((client) => client.query(`CREATE DATABASE ${name}`))
  const url = new URL(SERVER)
  url.pathname = `/${name}`
  try {
    return await work(url.href)
  } finally {
    await onServer((client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`))
  }
}
