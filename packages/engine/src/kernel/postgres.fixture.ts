/** A database with one table on a real PostgreSQL, and a proxy in front of it that cuts where a test says. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Client } from 'pg'
import type { Change, Migrations, Store } from './index.ts'

export type Tables = { thing_row: { tenant: string; id: string; n: number; bytes: Uint8Array | null } }

/** No key: what is stored twice is there twice. */
const TABLE = 'CREATE TABLE thing_row (tenant TEXT NOT NULL, id TEXT NOT NULL, n INTEGER NOT NULL, bytes BLOB) STRICT;'

export function makeRoom(
  files: Record<string, string> = { '0001-thing.sql': TABLE },
): Migrations & { write(name: string, sql: string): void } {
  const folder = join(mkdtempSync(join(tmpdir(), 'ephor-room-')), 'migrations')
  mkdirSync(folder)
  const write = (name: string, sql: string) => writeFileSync(join(folder, name), sql)
  for (const [name, sql] of Object.entries(files)) write(name, sql)
  return { room: 'thing', folder: pathToFileURL(`${folder}/`), write }
}

export function insert(id: string, n = 0): Change {
  return { sql: 'INSERT INTO thing_row (tenant, id, n) VALUES (@tenant, ?, ?)', params: [id, n] }
}

export async function ids(store: Store): Promise<string[]> {
  const rows = await store.reader<Tables>().selectFrom('thing_row').select('id').orderBy('id').execute()
  return rows.map(({ id }) => id)
}

/** One statement by itself, past the store. */
export async function psql(url: string, sql: string, params: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new Client(url)
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql, params)).rows
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Ends every other connection of the database, as a restart of the server does. */
export function terminateAll(url: string): Promise<unknown> {
  return psql(url, 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()')
}

/** `answer`: the server's answer to COMMIT is lost; `request`: COMMIT itself never arrives, or (`hold`) hangs on the way. */
export type Cut = 'answer' | 'request' | 'hold' | undefined

/** The message that parses COMMIT: its statement's name follows the length, and its text follows that. */
const PARSE_COMMIT = /P[\s\S]{4}(\w+)\0COMMIT\0/

/** Passes everything on until it is told to cut. A cut happens once. */
export async function makeProxy(url: string) {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let cut: Cut
  let cuts = 0

  function serve(client: Socket): void {
    const server = connect(Number(target.port), target.hostname)
    let commitName: string | undefined
    let held = false
    const end = () => {
      client.destroy()
      server.destroy()
    }
    const hit = () => {
      cut = undefined
      cuts++
    }
    for (const socket of [client, server]) {
      sockets.add(socket.setNoDelay(true))
      socket.on('error', end)
      socket.on('close', end)
    }
    client.on('data', (bytes) => {
      const text = bytes.toString('latin1')
      const commits = commitName !== undefined && text.includes(`\0${commitName}\0`)
      commitName ??= PARSE_COMMIT.exec(text)?.[1]
      if (held) return
      if (commits && cut === 'request') {
        hit()
        end()
      } else if (commits && cut === 'hold') {
        hit()
        held = true
      } else server.write(bytes)
    })
    server.on('data', (bytes) => {
      if (cut === 'answer' && bytes.toString('latin1').includes('COMMIT\0')) {
        hit()
        end()
      } else client.write(bytes)
    })
  }

  const proxy = createServer(serve)
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  target.port ||= '5432'
  const through = new URL(url)
  through.port = String((proxy.address() as AddressInfo).port)
  return {
    url: through.href,
    cutNext: (where: Cut) => void (cut = where),
    cuts: () => cuts,
    /** Nothing gets through from now on. */
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}
