/** One connection that writes: statements of the same turn share a round trip, and a lost connection is told apart from a refused statement. */
import { Client, DatabaseError } from 'pg'
import { PreparedStatements, runGroup } from './postgres-group.ts'
import type { Session } from './postgres-session.ts'
import { connectOptions, openSession } from './postgres-session.ts'
import { UnsafeNumber } from './postgres-values.ts'
import type { PostgresResult, PostgresStatement } from './store.ts'

/** A server that says nothing for this long is taken for lost, in ms; its own limits for statements and locks are below. */
const SILENCE_MS = 45_000

/** The connection is gone: what it was doing may or may not have happened. */
export class ConnectionLost extends Error {
  readonly code = 'STORE_UNAVAILABLE'
}

type Asked = { statements: readonly PostgresStatement[]; resolve: (results: PostgresResult[]) => void; reject: (error: Error) => void }

/** A refused statement leaves the connection as it is; anything else, and what the server ends a session with, does not. */
function survives(error: unknown): boolean {
  if (error instanceof UnsafeNumber) return true
  if (!(error instanceof DatabaseError)) return false
  return error.severity !== 'FATAL' && error.severity !== 'PANIC' && !/^(?:08|57P|25P03)/.test(error.code ?? '')
}

export class PostgresLink {
  readonly #client: Client
  readonly #prepared: PreparedStatements
  readonly session: Session
  #asked: Asked[] = []
  #scheduled = false
  #busy = false
  #lost: ConnectionLost | undefined

  private constructor(client: Client, session: Session) {
    this.#client = client
    this.session = session
    this.#prepared = new PreparedStatements(!session.pooled)
    client.on('error', (error) => this.#lose(error.message))
    client.on('end', () => this.#lose('the connection ended'))
  }

  /** @throws what PostgreSQL or the network says */
  static async open(url: string, tenant: string): Promise<PostgresLink> {
    const client = new Client(connectOptions(url, 'writer'))
    // Without a listener an error that comes before the link stands would end the thread.
    client.on('error', () => undefined)
    await client.connect()
    try {
      return new PostgresLink(client, await openSession(client, tenant, 'writer'))
    } catch (error) {
      client.connection.stream.destroy()
      throw error
    }
  }

  get lost(): boolean {
    return this.#lost !== undefined
  }

  #lose(detail: string): void {
    this.#lost ??= new ConnectionLost(`the connection to PostgreSQL was lost: ${detail}`)
    for (const { reject } of this.#asked.splice(0)) reject(this.#lost)
  }

  /** In order; those of one turn travel together, and one that fails takes those behind it along. */
  run(statements: readonly PostgresStatement[]): Promise<PostgresResult[]> {
    if (this.#lost) return Promise.reject(this.#lost)
    return new Promise((resolve, reject) => {
      this.#asked.push({ statements, resolve, reject })
      if (this.#scheduled || this.#busy) return
      this.#scheduled = true
      queueMicrotask(() => {
        this.#scheduled = false
        void this.#flush()
      })
    })
  }

  async #flush(): Promise<void> {
    const asked = this.#asked.splice(0)
    if (asked.length === 0) return
    this.#busy = true
    const silence = setTimeout(() => this.destroy('the server did not answer'), SILENCE_MS)
    try {
      const results = await runGroup(
        this.#client,
        this.#prepared,
        asked.flatMap(({ statements }) => statements),
      )
      let from = 0
      for (const { statements, resolve } of asked) resolve(results.slice(from, (from += statements.length)))
    } catch (error) {
      if (!survives(error)) this.destroy((error as Error).message)
      for (const { reject } of asked) reject(this.#lost ?? (error as Error))
    } finally {
      clearTimeout(silence)
      this.#busy = false
    }
    await this.#flush()
  }

  /** Ends it at once; whatever runs on it is answered as lost. */
  destroy(detail: string): void {
    this.#lose(detail)
    this.#client.connection.stream.destroy()
  }

  async close(): Promise<void> {
    this.#lost ??= new ConnectionLost('the store is closed')
    await this.#client.end()
  }
}
