/** Stores for tests: embedded in a folder, or with EPHOR_TEST_STORE=postgres a database of its own, which the folder remembers. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { openPostgres } from './open-postgres.ts'
import { openSqlite } from './open-sqlite.ts'
import type { Store } from './store.ts'
import type { CommonOptions } from './thread-messages.ts'

/** Where databases may be made and dropped. */
const SERVER = process.env.EPHOR_TEST_POSTGRES ?? 'postgres://postgres@127.0.0.1:5432/postgres'
const PREFIX = 'ephor_test'

export const testsPostgres = process.env.EPHOR_TEST_STORE === 'postgres'

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

/** Whether there is a PostgreSQL to test on. */
export function postgresAnswers(): Promise<boolean> {
  return onServer(() => Promise.resolve(true)).catch(() => false)
}

let made = 0

/** A database of its own, by a URL. The name says which process made it, for `dropLeftovers`. */
export async function freshDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `${PREFIX}_${process.pid}_${Date.now().toString(36)}_${made++}`
  await onServer((client) => client.query(`CREATE DATABASE ${name}`))
  const url = new URL(SERVER)
  url.pathname = `/${name}`
  return {
    url: url.href,
    drop: () => onServer(async (client) => void (await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))),
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Drops the databases of test processes that are gone, also of those that were killed. */
export function dropLeftovers(): Promise<void> {
  return onServer(async (client) => {
    const { rows } = await client.query<{ name: string }>(`SELECT datname AS name FROM pg_database WHERE datname LIKE '${PREFIX}\\_%'`)
    for (const { name } of rows) {
      const pid = Number(name.split('_')[2])
      if (!isAlive(pid)) await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)} WITH (FORCE)`)
    }
  })
}

export type TestStoreOptions = CommonOptions & {
  /** Opened again, it has the store that it had. */
  folder: string
  extension?: { module: URL; postgres?: URL | undefined; options: unknown } | undefined
}

export async function openTestStore({ folder, extension, ...options }: TestStoreOptions): Promise<Store> {
  if (!testsPostgres) return openSqlite({ ...options, file: join(folder, 'store.db'), extension })
  const memory = join(folder, 'store.url')
  if (!existsSync(memory)) writeFileSync(memory, (await freshDatabase()).url)
  const { postgres } = extension ?? {}
  if (extension && !postgres) throw new Error('this extension is not there for PostgreSQL')
  return openPostgres({
    ...options,
    url: readFileSync(memory, 'utf8'),
    poolSize: 2,
    extension: extension && postgres && { postgres, options: extension.options },
  })
}
