/**
 * Several statements in one round trip: Parse, Bind and Execute of each, and one Sync. `pg` itself can pipeline only
 * statements with a Sync each, which would not undo the earlier ones of a transaction that is not open yet.
 * Protocol: https://www.postgresql.org/docs/15/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
 */
import type { Client, Connection, FieldDef } from 'pg'
import { answersRows, parserOf, toParameter } from './postgres-values.ts'
import type { PostgresResult, PostgresStatement } from './store.ts'

/** Statements that a connection has prepared, by text. `named`: false behind a pooler that changes connections under us. */
export class PreparedStatements {
  readonly #named: boolean
  readonly #names = new Map<string, string>()
  #next = 0

  constructor(named: boolean) {
    this.#named = named
  }

  /** The empty name: to be parsed each time. */
  find(text: string): string | undefined {
    return this.#named ? this.#names.get(text) : undefined
  }

  fresh(): string {
    return this.#named ? `ephor_${this.#next++}` : ''
  }

  /** Only once the server said that it parsed it: a name that an error left out would be missed forever. */
  parsed(text: string, name: string): void {
    if (this.#named) this.#names.set(text, name)
  }
}

type Settle = { resolve: (results: PostgresResult[]) => void; reject: (error: Error) => void }

/** What `pg` calls with the server's answers, one after the other. */
class Group {
  readonly #statements: readonly PostgresStatement[]
  readonly #prepared: PreparedStatements
  readonly #settle: Settle
  readonly #parsing: { text: string; name: string }[] = []
  readonly #results: PostgresResult[] = []
  #rows: Record<string, unknown>[] = []
  #columns: { name: string; parse: (text: string) => unknown }[] = []
  #failed: Error | undefined
  #stopListening: () => void = () => undefined

  constructor(statements: readonly PostgresStatement[], prepared: PreparedStatements, settle: Settle) {
    this.#statements = statements
    this.#prepared = prepared
    this.#settle = settle
  }

  submit(connection: Connection): void {
    const onParsed = () => {
      const done = this.#parsing.shift()
      if (done) this.#prepared.parsed(done.text, done.name)
    }
    connection.on('parseComplete', onParsed)
    this.#stopListening = () => connection.off('parseComplete', onParsed)
    const here = new Map<string, string>()
    connection.stream.cork()
    try {
      for (const { text, params } of this.#statements) this.#write(connection, here, text, params)
      connection.sync()
    } finally {
      connection.stream.uncork()
    }
  }

  #write(connection: Connection, here: Map<string, string>, text: string, params: PostgresStatement['params']): void {
    let name = this.#prepared.find(text) ?? here.get(text)
    if (name === undefined || name === '') {
      name = this.#prepared.fresh()
      here.set(text, name)
      this.#parsing.push({ text, name })
      connection.parse({ text, name, types: [] }, true)
    }
    connection.bind({ statement: name, values: params.map(toParameter) }, true)
    if (answersRows(text)) connection.describe({ type: 'P' }, true)
    connection.execute(null, true)
  }

  handleRowDescription({ fields }: { fields: FieldDef[] }): void {
    this.#columns = fields.map(({ name, dataTypeID }) => ({ name, parse: parserOf(dataTypeID) }))
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    try {
      const row: Record<string, unknown> = {}
      for (const [i, { name, parse }] of this.#columns.entries()) row[name] = fields[i] == null ? null : parse(fields[i])
      this.#rows.push(row)
    } catch (error) {
      this.#failed ??= error as Error
    }
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.#results.push({ rows: this.#rows, count: Number(/\d+$/.exec(text)?.[0] ?? 0), tag: text })
    this.#rows = []
    this.#columns = []
  }

  handleEmptyQuery(): void {
    this.#results.push({ rows: [], count: 0, tag: '' })
  }

  /** After an error the server leaves out everything up to the Sync. */
  handleError(error: Error): void {
    this.#stopListening()
    this.#settle.reject(error)
  }

  handleReadyForQuery(): void {
    this.#stopListening()
    if (this.#failed) this.#settle.reject(this.#failed)
    else this.#settle.resolve(this.#results)
  }
}

/** Sends the statements, whose texts are in PostgreSQL's words. @throws the first error; those behind it were not run */
export function runGroup(client: Client, prepared: PreparedStatements, statements: readonly PostgresStatement[]) {
  return new Promise<PostgresResult[]>((resolve, reject) => {
    client.query(new Group(statements, prepared, { resolve, reject }))
  })
}
