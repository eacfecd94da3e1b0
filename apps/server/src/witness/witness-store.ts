/** What a witness remembers of each log: the last checkpoint that it cosigned, durable before the cosignature is given away. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { writeDurably } from '@ephor/engine/ledger'
import Database from 'better-sqlite3'

/** `at`: seconds since 1970. `note`: the checkpoint with the log's signatures and the witness's. */
export type Cosigned = { origin: string; size: number; root: Uint8Array; note: string; at: number }
/** A checkpoint that the log signed and that does not continue what the witness had cosigned. */
export type Conflict = { origin: string; at: number; note: string; known: string }

export interface WitnessStore {
  latest(origin: string): Cosigned | undefined
  /** Durable when it returns. */
  save(cosigned: Cosigned): void
  /** Keeps the evidence, each once and 100 a log at most: a log that misbehaves must not fill the disk. */
  keepConflict(conflict: Conflict): void
  conflicts(origin: string): number
  close(): void
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS witness_checkpoint (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS witness_conflict (
    origin TEXT NOT NULL, note TEXT NOT NULL, known TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (origin, note)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS witness_count (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL) STRICT;
  INSERT INTO witness_count (one, count) VALUES (1, 0) ON CONFLICT (one) DO NOTHING;
`
const KEPT_CONFLICTS = 100

function open(file: string): Database.Database {
  const db = new Database(file, { timeout: 0 })
  try {
    // The lock is held until the process ends: two witnesses with one key on one state could cosign two histories.
    db.pragma('locking_mode = EXCLUSIVE')
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.exec(SCHEMA)
    const broken = db.pragma('integrity_check', { simple: true })
    if (broken !== 'ok') throw new Fault('STORE_CORRUPT', `${file}: ${String(broken)}`)
    return db
  } catch (error) {
    db.close()
    const { code = '', message } = error as { code?: string; message: string }
    if (code.startsWith('SQLITE_BUSY')) throw new Fault('STORE_LOCKED', `another witness runs on ${file}`, { cause: error })
    if (code.startsWith('SQLITE_')) throw new Fault('STORE_CORRUPT', `${file}: ${message}`, { cause: error })
    throw error
  }
}

/** How many cosignatures were given, as the file beside the state says; undefined when there is no file. */
function readCount(file: string): number | undefined {
  if (!existsSync(file)) return undefined
  const text = readFileSync(file, 'utf8').trim()
  if (!/^\d{1,15}$/.test(text)) throw new Fault('STORE_CORRUPT', `${file} is not a number`)
  return Number(text)
}

/**
 * The count of cosignatures is kept in the state and in the file `given` beside it: a state that somebody put back from a
 * backup is behind the file. Who puts back both is not found out here; a log's other witnesses are there for that.
 * @throws Fault STORE_LOCKED when another witness runs on the folder, STORE_CORRUPT, WITNESS_ROLLED_BACK.
 */
export function openWitnessStore(folder: string): WitnessStore {
  const db = open(join(folder, 'witness.db'))
  const given = join(folder, 'given')
  const readStored = db.prepare<[], { count: number }>('SELECT count FROM witness_count')
  const stored = readStored.get()?.count ?? 0
  try {
    const known = readCount(given)
    if (known === undefined ? stored > 0 : known > stored)
      throw new Fault('WITNESS_ROLLED_BACK', `${given} says ${known ?? 'nothing'}, the state says ${stored}`, { where: given })
    writeDurably(given, `${stored}\n`)
  } catch (error) {
    db.close()
    throw error
  }
  const latest = db.prepare<[string], Cosigned>('SELECT origin, size, root, note, at FROM witness_checkpoint WHERE origin = ?')
  const put = db.prepare<[string, number, Uint8Array, string, number]>(
    `INSERT INTO witness_checkpoint (origin, size, root, note, at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note, at = excluded.at
     WHERE excluded.size >= witness_checkpoint.size`,
  )
  const count = db.prepare<[], { count: number }>('UPDATE witness_count SET count = count + 1 RETURNING count')
  const conflict = db.prepare<[string, string, string, number]>(
    'INSERT INTO witness_conflict (origin, note, known, at) VALUES (?, ?, ?, ?) ON CONFLICT (origin, note) DO NOTHING',
  )
  const conflicts = db.prepare<[string], { count: number }>('SELECT count(*) AS count FROM witness_conflict WHERE origin = ?')
  const conflictsOf = (origin: string) => conflicts.get(origin)?.count ?? 0
  return {
    latest: (origin) => latest.get(origin),
    save({ origin, size, root, note, at }) {
      const next = db
        .transaction(() => {
          if (put.run(origin, size, root, note, at).changes !== 1) throw new Fault('INTERNAL', 'a smaller size is never saved')
          return count.get()?.count ?? 0
        })
        .immediate()
      writeDurably(given, `${next}\n`)
    },
    keepConflict({ origin, note, known, at }) {
      if (conflictsOf(origin) < KEPT_CONFLICTS) conflict.run(origin, note, known, at)
    },
    conflicts: conflictsOf,
    close: () => void db.close(),
  }
}
