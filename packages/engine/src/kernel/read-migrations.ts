/** The migrations that this program brings, and how they compare with those that a store was made with. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Fault } from '@ephor/contract'
import type { Migrations } from './store.ts'
import type { SentMigrations } from './thread-messages.ts'

export type Migration = { room: string; name: string; sql: string; digest: string }
/** As the store remembers it. */
export type AppliedMigration = { room: string; name: string; digest: string }

export function sendMigrations(migrations: readonly Migrations[]): SentMigrations {
  return migrations.map(({ room, folder }) => ({ room, folder: fileURLToPath(folder) }))
}

/** SQLite's words in PostgreSQL's, also in the `.postgres.sql` that are there for what this is not enough for. */
function translate(sql: string): string {
  return (
    sql
      .replaceAll(/\bBLOB\b/g, 'BYTEA')
      // Ids and names compare by their bytes, as in SQLite, whatever language the database was made for.
      .replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"')
      .replaceAll(/\bINTEGER\b/g, 'BIGINT')
      .replaceAll(/\)\s*(?:STRICT|WITHOUT ROWID)(?:\s*,\s*(?:STRICT|WITHOUT ROWID))?/g, ')')
  )
}

/** In the order in which they are applied: room by room, by name. What only PostgreSQL has counts under the plain name as well. */
export function readMigrations(migrations: SentMigrations, kind: 'sqlite' | 'postgres'): Migration[] {
  return migrations.flatMap(({ room, folder }) => {
    const files = new Set(readdirSync(folder).filter((name) => name.endsWith('.sql')))
    const isOwn = (name: string) => name.endsWith('.postgres.sql')
    const plain = [...files].map((name) => (kind === 'postgres' ? name.replace('.postgres.sql', '.sql') : name))
    const names = [...new Set(plain)].filter((name) => !isOwn(name)).toSorted()
    return names.map((name) => {
      const own = name.replace(/\.sql$/, '.postgres.sql')
      const special = kind === 'postgres' && files.has(own)
      const text = readFileSync(join(folder, special ? own : name), 'utf8')
      const digest = createHash('sha256').update(text).digest('hex')
      return { room, name, digest, sql: kind === 'postgres' ? translate(text) : text }
    })
  })
}

/**
 * @returns what is still to be applied
 * @throws Fault SCHEMA_DIFFERS when an applied one is not what this program has by that name, SCHEMA_NEWER when the
 *   store was made with one of a room that this program has, which it does not know
 */
export function compareMigrations(known: readonly Migration[], applied: readonly AppliedMigration[]): Migration[] {
  const byName = new Map(known.map((migration) => [`${migration.room}/${migration.name}`, migration]))
  const rooms = new Set(known.map(({ room }) => room))
  const done = new Set<string>()
  for (const { room, name, digest } of applied) {
    const path = `${room}/${name}`
    const here = byName.get(path)
    if (here && here.digest !== digest) throw new Fault('SCHEMA_DIFFERS', `migration ${path} differs from the one this store was made with`)
    if (!here && rooms.has(room)) throw new Fault('SCHEMA_NEWER', `the store has migration ${path}, which this program does not know`)
    done.add(path)
  }
  return known.filter(({ room, name }) => !done.has(`${room}/${name}`))
}

/** @throws Fault SCHEMA_OLDER when something is to be applied and may not be */
export function refusePending(pending: readonly Migration[]): void {
  if (pending.length > 0)
    throw new Fault('SCHEMA_OLDER', `the store lacks ${pending.map(({ room, name }) => `${room}/${name}`).join(', ')}: run ephor migrate`)
}
