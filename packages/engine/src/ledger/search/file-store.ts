/** The index of the embedded store: an FTS5 table in a file of its own, so that indexing holds up no decision and costs the ledger nothing. */
import { closeSync, openSync, rmSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import Database from 'better-sqlite3'
import { START } from './term-index.ts'
import type { Indexed, Position, TermIndex, Wanted } from './term-index.ts'
import { TERMS_VERSION } from './terms.ts'

/** Entries that share one row of times. */
const BLOCK = 1024

// detail=none: which entries have a term, and nothing else. The vocabulary counts them.
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY CHECK (one = 1), next INTEGER NOT NULL, last TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS block (n INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
  CREATE VIRTUAL TABLE IF NOT EXISTS term USING fts5(terms, content='', columnsize=0, detail=none, tokenize='ascii');
  CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab(term, 'row');
  PRAGMA user_version = ${TERMS_VERSION};
`
/** A term that every entry has, to count them by. */
const EVERY = 'every'

function openFile(file: string): Database.Database {
  closeSync(openSync(file, 'a', 0o600))
  const db = new Database(file)
  try {
    db.pragma('journal_mode = WAL')
    // A power cut may take the last batches: they are indexed again, and what is in the file stays whole.
    db.pragma('synchronous = NORMAL')
    const version = db.pragma('user_version', { simple: true })
    if (version !== 0 && version !== TERMS_VERSION) throw Object.assign(new Error('made by another version'), { code: 'SQLITE_NOTADB' })
    db.exec(SCHEMA)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** An error of SQL itself is one of a file with other tables than ours. */
const isDamaged = (error: unknown) => /^SQLITE_(?:CORRUPT|NOTADB|ERROR)/.test(String((error as { code?: unknown }).code))

function remove(file: string): void {
  for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name, { force: true })
}

/** Whatever is wrong with the file, it is made again: it holds nothing that the ledger does not. */
function openAnyway(file: string): Database.Database {
  try {
    return openFile(file)
  } catch (error) {
    if (!isDamaged(error)) throw error
    remove(file)
    return openFile(file)
  }
}

/** Hashed terms are hexadecimal digits, so nothing in them means anything to FTS5. */
function expression(groups: readonly (readonly string[])[]): string {
  return groups.map((group) => `(${group.map((term) => `"${term}"`).join(' OR ')})`).join(' AND ')
}

function statements(db: Database.Database) {
  const find = (direction: string) =>
    db.prepare<[string, number, number, number], { rowid: number }>(
      `SELECT rowid FROM term WHERE term MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid ${direction} LIMIT ?`,
    )
  return {
    position: db.prepare<[], Position>('SELECT next, last FROM position'),
    move: db.prepare(`INSERT INTO position (one, next, last) VALUES (1, ?, ?)
      ON CONFLICT (one) DO UPDATE SET next = excluded.next, last = excluded.last`),
    insert: db.prepare('INSERT INTO term (rowid, terms) VALUES (?, ?)'),
    block: db.prepare(`INSERT INTO block (n, first, last) VALUES (?, ?, ?) ON CONFLICT (n) DO UPDATE SET
      first = CASE WHEN excluded.first < first THEN excluded.first ELSE first END,
      last = CASE WHEN excluded.last > last THEN excluded.last ELSE last END`),
    newest: find('DESC'),
    oldest: find('ASC'),
    within: db.prepare<[number, number], { low: number | null; high: number | null }>(
      'SELECT min(n) AS low, max(n) AS high FROM block WHERE last >= ? AND first < ?',
    ),
    count: db.prepare<[string], { doc: number }>('SELECT doc FROM vocabulary WHERE term = ?'),
  }
}

export type FileIndex = TermIndex & { close(): void }

/** @param file beside the store; only its owner may read it */
export function openFileIndex(file: string): FileIndex {
  let db = openAnyway(file)
  let prepared = statements(db)
  const position = () => prepared.position.get() ?? START

  function write(batch: readonly Indexed[], to: Position): void {
    for (const { seq, at, terms } of batch) {
      prepared.insert.run(seq, [EVERY, ...terms].join(' '))
      prepared.block.run(Math.floor(seq / BLOCK), at, at)
    }
    prepared.move.run(to.next, to.last)
  }

  function renew(): void {
    db.close()
    remove(file)
    db = openFile(file)
    prepared = statements(db)
  }

  /** @throws Fault SEARCH_BEHIND when the file turns out to be damaged: it is begun again */
  function guarded<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (!isDamaged(error)) throw error
      renew()
      throw new Fault('SEARCH_BEHIND', 'the index was damaged and is built again', { cause: error })
    }
  }

  return {
    position: async () => guarded(position),
    add: async (batch, from, to) =>
      guarded(() => {
        if (position().next !== from.next) return false
        db.transaction(() => write(batch, to)).immediate()
        return true
      }),
    find: async ({ groups, low, high, newest, limit }: Wanted) =>
      guarded(() => prepared[newest ? 'newest' : 'oldest'].all(expression(groups), low, high, limit).map(({ rowid }) => rowid)),
    within: async (since, until) =>
      guarded(() => {
        const { low = null, high = null } = prepared.within.get(since, until) ?? {}
        return low === null || high === null ? undefined : [low * BLOCK, (high + 1) * BLOCK - 1]
      }),
    count: async () => guarded(() => prepared.count.get(EVERY)?.doc ?? 0),
    clear: async () => renew(),
    close: () => void db.close(),
  }
}
