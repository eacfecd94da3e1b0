/** What every connection of the store is told when it opens, and what it must answer for a permit to rest on it. */
import { Fault } from '@ephor/contract'
import type { Client, ClientConfig } from 'pg'
import { PreparedStatements, runGroup } from './postgres-group.ts'
import type { PostgresStatement } from './store.ts'

export type Purpose = 'writer' | 'reader'

export type Session = {
  /** A pooler stands between, which may give each transaction another connection: nothing of a session lasts. */
  pooled: boolean
  /** Goes first in each transaction of a pooled connection; otherwise empty, since the session keeps it. */
  prologue: readonly PostgresStatement[]
  /** Which server process this is, so that it can be ended when its answer was lost. */
  backend: { pid: number; since: string }
}

/** A statement that runs longer, or waits longer for a lock, is given up by the server, in ms. */
const STATEMENT_MS = 30_000
const LOCK_MS = 15_000
/** A replica that stops in the middle of a transaction holds the ledger's row: after this the server lets the others go on. */
const IDLE_IN_TRANSACTION_MS = 8_000
const CONNECT_MS = 10_000

/** Options of `pg` for a URL. A probe every few seconds finds a peer that is gone without a word. */
export function connectOptions(url: string, purpose: string): ClientConfig {
  return {
    connectionString: url,
    application_name: `ephor ${purpose}`,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  }
}

/** `local`: for one transaction. */
function settings(tenant: string, purpose: Purpose, local: boolean): PostgresStatement {
  const set = (name: string, value: string) => `set_config('${name}', ${value}, ${local})`
  const timeouts = [
    set('statement_timeout', `'${STATEMENT_MS}'`),
    set('lock_timeout', `'${LOCK_MS}'`),
    set('idle_in_transaction_session_timeout', `'${IDLE_IN_TRANSACTION_MS}'`),
  ]
  const durable = set(
    'synchronous_commit',
    `CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END`,
  )
  const own =
    purpose === 'writer' ? [durable, ...timeouts] : [set(local ? 'transaction_read_only' : 'default_transaction_read_only', `'on'`)]
  return { text: `SELECT ${[set('ephor.tenant', `'${tenant}'`), ...own].join(', ')}`, params: [] }
}

const ASK: PostgresStatement = {
  text: `SELECT pg_backend_pid() AS pid, current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous,
    (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS since`,
  params: [],
}

/**
 * Prepares a connection. A pooler is known by a process id that is not the server's own.
 * @throws Fault STORE_UNAVAILABLE when the server does not keep what it acknowledges
 */
export async function openSession(client: Client, tenant: string, purpose: Purpose): Promise<Session> {
  const once = new PreparedStatements(false)
  const answers = await runGroup(client, once, [settings(tenant, purpose, true), ASK])
  const [row] = answers.flatMap(({ rows }) => rows).slice(-1) as { pid: number; fsync: string; synchronous: string; since: string }[]
  if (!row) throw new Fault('STORE_UNAVAILABLE', 'PostgreSQL does not say what it is set to')
  const { pid, fsync, synchronous, since } = row
  const pooled = (client as Client & { processID: number }).processID !== pid
  if (!pooled) await runGroup(client, once, [settings(tenant, purpose, false)])
  if (purpose === 'writer' && (fsync !== 'on' || !['on', 'remote_apply'].includes(synchronous))) {
    const detail = `PostgreSQL would lose acknowledged rows: fsync is ${fsync}, synchronous_commit is ${synchronous}`
    throw new Fault('STORE_UNAVAILABLE', detail)
  }
  return { pooled, prologue: pooled ? [settings(tenant, purpose, true)] : [], backend: { pid, since } }
}
