/** Readers on PostgreSQL: a small pool of connections that can't write, each query one round trip, prepared once. */
import { Kysely, PostgresDialect } from 'kysely'
import type { PostgresPool, PostgresPoolClient } from 'kysely'
import { Pool } from 'pg'
import type { Client, ClientBase, PoolClient } from 'pg'
import { postgresFault } from './postgres-faults.ts'
import { PreparedStatements, runGroup } from './postgres-group.ts'
import { connectOptions, openSession } from './postgres-session.ts'
import type { Session } from './postgres-session.ts'
import type { PostgresResult, PostgresValue } from './store.ts'

export type ReaderOptions = { url: string; tenant: string; poolSize: number }

export type PostgresReader = ReturnType<typeof openReader>

export function openReader({ url, tenant, poolSize }: ReaderOptions) {
  const sessions = new WeakMap<object, { session: Session; prepared: PreparedStatements }>()
  // The pool waits for the promise, which its types don't say.
  const prepare: (client: ClientBase) => unknown = async (client) => {
    // A connection that ends while it is lent out is nobody else's to hear of: without a listener it would end the process.
    client.on('error', () => undefined)
    const session = await openSession(client as Client, tenant, 'reader')
    sessions.set(client, { session, prepared: new PreparedStatements(!session.pooled) })
  }
  const pool = new Pool({ ...connectOptions(url, 'reader'), max: poolSize, onConnect: prepare })
  // An idle connection that the server ends is replaced when somebody asks again.
  pool.on('error', () => undefined)

  async function ask(client: PoolClient, text: string, params: readonly PostgresValue[]): Promise<PostgresResult> {
    const { session, prepared } = sessions.get(client) as { session: Session; prepared: PreparedStatements }
    return (await runGroup(client, prepared, [...session.prologue, { text, params }])).at(-1) as PostgresResult
  }

  /** One that was prepared before a migration is asked once more, on a connection that does not know it. */
  async function query(text: string, params: readonly PostgresValue[]): Promise<PostgresResult> {
    for (let attempt = 1; ; attempt++) {
      const client = await pool.connect()
      try {
        const result = await ask(client, text, params)
        client.release()
        return result
      } catch (error) {
        // Whatever it was, a fresh connection is the surest way to a known state.
        client.release(true)
        const { code = '', message } = error as { code?: string; message: string }
        if (['0A000', '26000'].includes(code) && attempt === 1) continue
        throw postgresFault(code || 'ECONNRESET', message)
      }
    }
  }

  const client = {
    query: async (text: string, params: readonly unknown[]) => {
      const { rows, count, tag } = await query(text, params as PostgresValue[])
      return { command: tag.split(' ')[0], rowCount: count, rows }
    },
    release: () => undefined,
  } as PostgresPoolClient
  const door = { options: pool.options, connect: () => Promise.resolve(client), end: () => pool.end() } as PostgresPool
  const kysely = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: door }) })

  return { kysely, query, close: async () => void (pool.ending || (await pool.end())) }
}
