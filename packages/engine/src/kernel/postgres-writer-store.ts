/**
 * Transactions on the one connection that writes, with the certainty of whether they were stored. Each one counts up
 * a row of its own writer: when the answer to COMMIT is lost, that row says what became of it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { asksAgain, openingFault } from './postgres-faults.ts'
import { ConnectionLost, PostgresLink } from './postgres-link.ts'
import type { Session } from './postgres-session.ts'
import { toPostgresText } from './postgres-values.ts'
import type { PostgresSql, PostgresStatement } from './store.ts'

/** Attempts at a transaction that PostgreSQL asks to do over, and at one whose connection was lost before COMMIT. */
const ATTEMPTS = 5
/** How long the fate of a lost COMMIT is looked for before its units are failed, in ms. */
const RESOLVE_MS = 20_000
/** Between attempts to connect, growing, in ms. */
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 5_000

const plain = (text: string): PostgresStatement => ({ text, params: [] })
const [BEGIN, COMMIT, ROLLBACK] = [plain('BEGIN'), plain('COMMIT'), plain('ROLLBACK')]

/** What the body of a transaction gives back: its value, and what is to go over together with COMMIT. */
export type Worked<T> = { value: T; last: PostgresStatement[] }
export type Body<T> = (sql: PostgresSql) => Promise<Worked<T>>

export type WriterOptions = { url: string; tenant: string; writer: string }

export class PostgresWriter {
  readonly #options: WriterOptions
  readonly #texts = new Map<string, string>()
  #link: PostgresLink | undefined
  /** Of the last transaction that was begun. */
  #batch = 0
  #pause = 0
  #notBefore = 0
  #refusal: unknown

  constructor(options: WriterOptions) {
    this.#options = options
  }

  #text(text: string): string {
    let known = this.#texts.get(text)
    if (known === undefined) this.#texts.set(text, (known = toPostgresText(text, this.#options.tenant)))
    return known
  }

  /** Texts in our words; those of one turn share a round trip. */
  #on(link: PostgresLink): PostgresSql {
    return { run: (statements) => link.run(statements.map(({ text, params }) => ({ text: this.#text(text), params }))) }
  }

  /** The connection, or a new one. While the server can't be reached, callers are refused at once instead of waiting. */
  async connect(): Promise<PostgresLink> {
    if (this.#link && !this.#link.lost) return this.#link
    if (performance.now() < this.#notBefore) throw this.#refusal
    try {
      const link = await PostgresLink.open(this.#options.url, this.#options.tenant)
      const tidy = "DELETE FROM kernel_writer WHERE tenant = @tenant AND seen < now() - interval '1 day'"
      const introduce = 'INSERT INTO kernel_writer (tenant, writer, batch, units) VALUES (@tenant, ?, 0, 0) ON CONFLICT DO NOTHING'
      const statements = [BEGIN, plain(tidy), { text: introduce, params: [this.#options.writer] }, COMMIT]
      await this.#on(link).run([...link.session.prologue, ...statements])
      this.#pause = 0
      return (this.#link = link)
    } catch (error) {
      this.#pause = Math.min(this.#pause * 2 || FIRST_PAUSE_MS, LAST_PAUSE_MS)
      this.#notBefore = performance.now() + this.#pause
      this.#refusal = new ConnectionLost(openingFault(error, this.#options.url).message)
      throw error
    }
  }

  /**
   * BEGIN, `body`, COMMIT. What `body` asks for in its first turn shares a round trip with BEGIN.
   * @param units how many units of the store it holds: what other replicas hear of
   * @throws what `body` throws, after ROLLBACK; ConnectionLost when it was not stored or can't be known to be
   */
  async transaction<T>(units: number, body: Body<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const link = await this.connect()
      const batch = ++this.#batch
      const worked = await this.#work(link, batch, units, body)
      if ('value' in worked) {
        const { value, last } = worked
        const refused = await this.#commit(link, last)
        if (!refused || (link.lost && (await this.#wasStored(batch, link.session)))) return value
        await this.#recover(link, refused.error, attempt)
      } else await this.#recover(link, worked.error, attempt)
    }
  }

  async #work<T>(link: PostgresLink, batch: number, units: number, body: Body<T>): Promise<Worked<T> | { error: unknown }> {
    const sql = this.#on(link)
    const touch = 'UPDATE kernel_writer SET batch = ?, units = units + ?, seen = now() WHERE tenant = @tenant AND writer = ?'
    const begun = sql.run([...link.session.prologue, BEGIN, { text: touch, params: [batch, units, this.#options.writer] }])
    // Both are waited for whatever happens: a transaction that still runs must not be left behind.
    const [opened, worked] = await Promise.allSettled([begun, body(sql)])
    if (opened.status === 'rejected') return { error: opened.reason }
    if (worked.status === 'rejected') return { error: worked.reason }
    if (opened.value.at(-1)?.count === 1) return worked.value
    // Without its row the fate of this transaction could not be found out: a new connection makes a new one.
    link.destroy('the row of this writer is gone')
    return { error: new ConnectionLost('the row of this writer is gone') }
  }

  async #commit(link: PostgresLink, last: PostgresStatement[]): Promise<{ error: unknown } | undefined> {
    try {
      const tag = (await this.#on(link).run([...last, COMMIT])).at(-1)?.tag
      return tag === 'COMMIT' ? undefined : { error: new Error(`PostgreSQL answered ${tag} to COMMIT`) }
    } catch (error) {
      return { error }
    }
  }

  /** Makes way for another attempt. @throws `error` when there is to be none */
  async #recover(link: PostgresLink, error: unknown, attempt: number): Promise<void> {
    if (!link.lost) await link.run([ROLLBACK]).catch(() => undefined)
    const again = error instanceof ConnectionLost || asksAgain(error)
    if (!again || attempt >= ATTEMPTS) throw error
    // A statement that another session's migration made stale stays stale on this connection.
    if (namesStale(error)) link.destroy('its prepared statements are out of date')
    await sleep(Math.random() * 20 * attempt)
  }

  /**
   * Whether the transaction whose COMMIT got no answer was stored. It holds its writer's row until it has ended one way
   * or the other, so the lock on that row waits for it, and the row tells.
   * @throws ConnectionLost when it can't be found out in time
   */
  async #wasStored(batch: number, { pooled, backend }: Session): Promise<boolean> {
    const deadline = performance.now() + RESOLVE_MS
    const end = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ? AND backend_start = ?::timestamptz'
    const ask = 'SELECT batch FROM kernel_writer WHERE tenant = @tenant AND writer = ? FOR UPDATE'
    for (let pause = FIRST_PAUSE_MS / 2; ; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
      try {
        const link = await PostgresLink.open(this.#options.url, this.#options.tenant)
        try {
          const sql = this.#on(link)
          // It may wait for a client that it does not know to be gone; behind a pooler the number means nothing to the server.
          if (!pooled) await sql.run([{ text: end, params: [backend.pid, backend.since] }]).catch(() => undefined)
          const answers = await sql.run([...link.session.prologue, BEGIN, { text: ask, params: [this.#options.writer] }, COMMIT])
          const row = answers.at(-2)?.rows[0] as { batch: number } | undefined
          if (!row) break
          this.#link = link
          return row.batch === batch
        } catch (error) {
          link.destroy('it was of no use')
          throw error
        }
      } catch {
        if (performance.now() + pause > deadline) break
        await sleep(pause)
      }
    }
    throw new ConnectionLost('the connection was lost at COMMIT, and PostgreSQL did not come back in time to say what became of it')
  }

  async close(): Promise<void> {
    if (this.#link && !this.#link.lost) await this.#link.close()
  }
}

function namesStale(error: unknown): boolean {
  return asksAgain(error) && !String((error as { code?: string }).code).startsWith('40')
}
