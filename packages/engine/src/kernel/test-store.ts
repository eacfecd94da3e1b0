/** Stores for tests: embedded in a folder, or with EPHOR_TEST_STORE=postgres a database of its own, which the folder remembers. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Client } from 'pg'
import { openPostgres } from './open-postgres.ts'
import { openSqlite } from './open-sqlite.ts'
import { migratePostgres } from './postgres-schema-store.ts'
import { toPostgresText } from './postgres-values.ts'
import { readMigrations, sendMigrations } from './read-migrations.ts'
import type { SqlValue, Store } from './store.ts'
import { DEFAULT_TENANT } from './tenant.ts'
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

/** A database of its own, by a URL. Its name says which process made it, and which one runs that, for `dropLeftovers`. */
export async function freshDatabase(template = 'template1'): Promise<{ url: string; drop(): Promise<void> }> {
  // Beside the tests, so that a long run does not fill the disk; what it does not come to, a later process does.
  if (made === 0) dropLeftovers().catch(() => undefined)
  const name = `${PREFIX}_${process.ppid}_${process.pid}_${Date.now().toString(36)}_${made++}`
  await onServer((client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`))
  return { url: urlOf(name), drop: () => dropDatabase(name) }
}

function urlOf(database: string): string {
  return Object.assign(new URL(SERVER), { pathname: `/${database}` }).href
}

/**
 * A database with these migrations, for others to be copied from: migrating each by itself would take most of the time.
 * It belongs to the process that runs this one, and one process at a time makes it.
 */
function templateOf(migrations: CommonOptions['migrations']): Promise<string> {
  const digests = readMigrations(sendMigrations(migrations), 'postgres').map(({ room, name, digest }) => `${room}/${name} ${digest}`)
  const name = `${PREFIX}_${process.ppid}_${process.ppid}_${createHash('sha256').update(digests.join()).digest('hex').slice(0, 12)}`
  return onServer(async (client) => {
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [name])
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])
    if (rowCount === 0) {
      const made = await freshDatabase()
      await migratePostgres({ url: made.url, migrations })
      await client.query(`ALTER DATABASE ${new URL(made.url).pathname.slice(1)} RENAME TO ${name}`)
    }
    return name
  })
}

function dropDatabase(name: string): Promise<void> {
  return onServer(async (client) => void (await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Each drop waits for a checkpoint of the server, and those that ask at once share one. */
const DROPS_AT_ONCE = 8

/** Drops the databases of processes that are gone, killed ones included, and of those that this one ran. */
export async function dropLeftovers(): Promise<void> {
  const names = await onServer(async (client) => {
    const { rows } = await client.query<{ name: string }>(`SELECT datname AS name FROM pg_database WHERE datname LIKE '${PREFIX}\\_%'`)
    return rows.map(({ name }) => name)
  })
  const left = names.filter((name) => {
    const [parent = 0, maker = 0] = name.split('_').slice(2).map(Number)
    return parent === process.pid || !isAlive(maker)
  })
  const drop = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) await dropDatabase(name)
  }
  await Promise.all(Array.from({ length: DROPS_AT_ONCE }, drop))
}

export type TestStoreOptions = CommonOptions & {
  /** Opened again, it has the store that it had. */
  folder: string
  extension?: { module: URL; postgres?: URL | undefined; options: unknown } | undefined
}

export async function openTestStore({ folder, extension, ...options }: TestStoreOptions): Promise<Store> {
  if (!testsPostgres) return openSqlite({ ...options, file: join(folder, 'store.db'), extension })
  const memory = join(folder, 'store.url')
  if (!existsSync(memory)) writeFileSync(memory, (await freshDatabase(await templateOf(options.migrations))).url)
  const { postgres } = extension ?? {}
  if (extension && !postgres) throw new Error('this extension is not there for PostgreSQL')
  return openPostgres({
    ...options,
    url: readFileSync(memory, 'utf8'),
    poolSize: 2,
    extension: extension && postgres && { postgres, options: extension.options },
  })
}

/** As somebody who can write the database, past the store; `?` are the parameters. @returns rows changed by the last statement */
export async function alterStore(folder: string, sql: string, params: readonly SqlValue[] = []): Promise<number> {
  if (testsPostgres) {
    const client = new Client({ connectionString: readFileSync(join(folder, 'store.url'), 'utf8') })
    await client.connect()
    try {
      if (params.length > 0) return (await client.query(toPostgresText(sql, DEFAULT_TENANT), [...params])).rowCount ?? 0
      const results: unknown = await client.query(sql)
      return ((Array.isArray(results) ? results.at(-1) : results) as { rowCount: number | null }).rowCount ?? 0
    } finally {
      await client.end()
    }
  }
  const db = new Database(join(folder, 'store.db'), { fileMustExist: true })
  try {
    if (params.length > 0) return db.prepare(sql).run(...params).changes
    db.exec(sql)
    return (db.prepare('SELECT changes() AS n').get() as { n: number }).n
  } finally {
    db.close()
  }
}

/** All that is stored, as one text, to look for what must not be in it. Bytes that hold text appear as that text. */
export async function readStored(folder: string): Promise<string> {
  if (!testsPostgres) {
    const files = ['', '-wal'].map((end) => join(folder, `store.db${end}`)).filter((file) => existsSync(file))
    return files.map((file) => readFileSync(file, 'latin1')).join('')
  }
  const client = new Client({ connectionString: readFileSync(join(folder, 'store.url'), 'utf8') })
  await client.connect()
  try {
    const tables = await client.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
    )
    const texts: string[] = []
    for (const { name } of tables.rows) {
      const { rows } = await client.query<Record<string, unknown>>(`SELECT * FROM ${client.escapeIdentifier(name)}`)
      for (const value of rows.flatMap((row) => Object.values(row)))
        texts.push(value instanceof Buffer ? value.toString('latin1') : String(value))
    }
    return texts.join('\n')
  } finally {
    await client.end()
  }
}
