/** The group committer in front of either store's thread: what is waiting becomes one batch, and the thread is never idle. */
import { Worker } from 'node:worker_threads'
import { Fault } from '@ephor/contract'
import type { Unit } from './store.ts'
import type { SentUnit, ThreadReply, ThreadRequest, UnitResult } from './thread-messages.ts'

/** Units in one transaction at most: beyond this, latency grows and throughput does not. */
const MAX_BATCH = 256
/** Units that are sent without waiting for the rest of the turn, so that the thread works while callers still prepare theirs. */
const EAGER_BATCH = 16
/** Batches handed to the thread and not answered: one that it works on and the next ones, so that it never waits for us. */
const MAX_IN_FLIGHT = 3

type Waiting = { unit: Unit; resolve: (value: unknown) => void; reject: (fault: Fault) => void }
type Pending = { resolve: (value: unknown) => void; reject: (fault: Fault) => void }

export type CommitterOptions = {
  /** The thread's module, which answers `ThreadRequest` with `ThreadReply`. */
  thread: URL
  data: unknown
  /** The fault that a code from the thread stands for. */
  toFault: (code: string, detail: string) => Fault
}

export type GroupCommitter = Awaited<ReturnType<typeof startCommitter>>

/** Sends requests to the thread and hears its replies. */
function talk({ thread: module, data, toFault }: CommitterOptions, onDeath: (fault: Fault) => void) {
  const thread = new Worker(module, { workerData: data })
  const pending = new Map<number, Pending>()
  let dead: Fault | undefined
  let nextId = 1

  function die(detail: string): void {
    dead ??= new Fault('STORE_UNAVAILABLE', detail)
    for (const asked of pending.values()) asked.reject(dead)
    pending.clear()
    onDeath(dead)
  }
  thread.on('error', (error: Error) => die(`the store's thread failed: ${error.message}`))
  thread.on('exit', () => die('the store is closed'))
  thread.on('message', (reply: ThreadReply) => {
    const to = pending.get(reply.id)
    pending.delete(reply.id)
    if (!to) return
    if ('failed' in reply) to.reject(toFault(reply.failed.code, reply.failed.detail))
    else to.resolve('results' in reply ? reply.results : reply.value)
  })

  return {
    opened: new Promise<unknown>((resolve, reject) => pending.set(0, { resolve, reject })),
    dead: () => dead,
    ask(request: ThreadRequest): Promise<unknown> {
      if (dead) return Promise.reject(dead)
      return new Promise((resolve, reject) => {
        pending.set(request.id, { resolve, reject })
        thread.postMessage(request)
      })
    },
    nextId: () => nextId++,
    async end() {
      dead ??= new Fault('STORE_UNAVAILABLE', 'the store is closed')
      await thread.terminate()
    },
  }
}

/** The same few texts come again and again: each crosses once. */
function makeSender() {
  const known = new Map<string, number>()
  return ({ changes, attachment }: Unit, statements: string[]): SentUnit => ({
    changes: changes.map(({ sql, params, rows, fault }) => {
      let statement = known.get(sql)
      if (statement === undefined) {
        known.set(sql, (statement = known.size))
        statements.push(sql)
      }
      return { statement, params, rows, fault }
    }),
    attachment,
  })
}

/** Starts the thread. @throws what the thread could not open for */
export async function startCommitter(options: CommitterOptions) {
  const { toFault } = options
  let waiting: Waiting[] = []
  const inFlight = new Set<Promise<void>>()
  let scheduled = false
  const toSent = makeSender()
  const thread = talk(options, (fault) => {
    for (const waiter of waiting) waiter.reject(fault)
    waiting = []
  })

  async function send(batch: readonly Waiting[]): Promise<void> {
    try {
      const statements: string[] = []
      const units = batch.map(({ unit }) => toSent(unit, statements))
      const results = (await thread.ask({ id: thread.nextId(), kind: 'commit', statements, units })) as UnitResult[]
      for (const [i, result] of results.entries()) {
        if (result.ok) batch[i]?.resolve(result.value)
        else batch[i]?.reject(toFault(result.code, result.detail))
      }
    } catch (fault) {
      for (const waiter of batch) waiter.reject(fault as Fault)
    }
  }

  /** No timer: the next batch is what gathered while the earlier ones were being made durable. */
  function flush(): void {
    if (inFlight.size >= MAX_IN_FLIGHT || waiting.length === 0) return
    const sent = send(waiting.splice(0, MAX_BATCH)).then(() => {
      inFlight.delete(sent)
      return flush()
    })
    inFlight.add(sent)
  }

  /** Callers of the same turn share a batch, unless there are many. */
  function schedule(): void {
    if (waiting.length >= EAGER_BATCH) flush()
    else if (!scheduled) {
      scheduled = true
      queueMicrotask(() => {
        scheduled = false
        flush()
      })
    }
  }

  try {
    await thread.opened
  } catch (error) {
    await thread.end()
    throw error
  }
  return {
    commit(unit: Unit): Promise<unknown> {
      const dead = thread.dead()
      if (dead) return Promise.reject(dead)
      return new Promise((resolve, reject) => {
        waiting.push({ unit, resolve, reject })
        schedule()
      })
    },
    call: (method: string, argument: unknown) => thread.ask({ id: thread.nextId(), kind: 'call', method, argument }),
    /** Resolves once all that was given is answered. */
    async drain(): Promise<void> {
      for (flush(); inFlight.size > 0;) await Promise.all(inFlight)
    },
    async close(): Promise<void> {
      if (!thread.dead()) await thread.ask({ id: thread.nextId(), kind: 'close' }).catch(() => undefined)
      await thread.end()
    },
  }
}
