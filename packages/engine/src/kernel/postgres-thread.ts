/** The thread that owns the only connection that writes to PostgreSQL: it applies what is waiting as one transaction. */
import { parentPort, workerData } from 'node:worker_threads'
import { makeBatches } from './postgres-batches.ts'
import { openingFault } from './postgres-faults.ts'
import { PostgresWriter } from './postgres-writer-store.ts'
import type { PostgresConnection, PostgresExtension } from './store.ts'
import { failedReply } from './thread-messages.ts'
import type { ThreadReply, ThreadRequest } from './thread-messages.ts'

export type PostgresThreadData = {
  url: string
  tenant: string
  /** Names this store among those that write to the database. */
  writer: string
  extension: { module: string; options: unknown } | undefined
}

/** Requests that are waiting become one transaction up to so many units: each costs round trips and one flush of the disk. */
const MAX_UNITS = 512

type CommitRequest = Extract<ThreadRequest, { kind: 'commit' }>
type Port = NonNullable<typeof parentPort>

async function install(data: PostgresThreadData): Promise<PostgresExtension | undefined> {
  if (!data.extension) return undefined
  const module = (await import(data.extension.module)) as { installPostgres(options: unknown, tenant: string): PostgresExtension }
  return module.installPostgres(data.extension.options, data.tenant)
}

/** One after the other; commits that wait behind one another go together. */
function serve(port: Port, writer: PostgresWriter, extension: PostgresExtension | undefined): void {
  const commit = makeBatches(writer, extension)
  const connection: PostgresConnection = {
    transaction: (work) => writer.transaction(0, async (sql) => ({ value: await work(sql), last: [] })),
  }
  const waiting: ThreadRequest[] = []
  let working = false
  const reply = (message: ThreadReply) => port.postMessage(message)

  function takeCommits(first: CommitRequest): CommitRequest[] {
    const taken = [first]
    let units = first.units.length
    for (let next = waiting[0]; next?.kind === 'commit' && units + next.units.length <= MAX_UNITS; next = waiting[0]) {
      taken.push(next)
      units += next.units.length
      waiting.shift()
    }
    return taken
  }

  async function commitAll(requests: CommitRequest[]): Promise<void> {
    try {
      const results = await commit(
        requests.flatMap(({ statements }) => statements),
        requests.flatMap(({ units }) => units),
      )
      let from = 0
      for (const { id, units } of requests) reply({ id, results: results.slice(from, (from += units.length)) })
    } catch (error) {
      for (const { id } of requests) reply(failedReply(id, error))
    }
  }

  async function handle(request: ThreadRequest): Promise<void> {
    if (request.kind === 'commit') return commitAll(takeCommits(request))
    try {
      if (request.kind === 'call') reply({ id: request.id, value: await extension?.call(request.method, request.argument, connection) })
      else {
        await writer.close()
        reply({ id: request.id, value: undefined })
        port.close()
      }
    } catch (error) {
      reply(failedReply(request.id, error))
    }
  }

  async function work(): Promise<void> {
    working = true
    for (let request = waiting.shift(); request; request = waiting.shift()) await handle(request)
    working = false
  }

  port.on('message', (request: ThreadRequest) => {
    waiting.push(request)
    if (!working) void work()
  })
}

async function main(port: Port, data: PostgresThreadData): Promise<void> {
  const writer = new PostgresWriter(data)
  await writer.connect()
  serve(port, writer, await install(data))
  port.postMessage({ id: 0, value: 'open' } satisfies ThreadReply)
}

if (parentPort) {
  const port = parentPort
  const data = workerData as PostgresThreadData
  main(port, data).catch((error: unknown) => {
    port.postMessage(failedReply(0, openingFault(error, data.url)))
    port.close()
  })
}
