/** Starts the thread that searches the embedded store, and asks it; one that dies is started again with the next question. */
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Fault, FAULTS } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import type { FromThread, SearchMethod, SearchThreadData, ToThread } from './search-thread.ts'
import type { Found } from './find-entries.ts'
import type { Scanned, SearchSource, Status } from './search-source.ts'
import type { Reasons } from './terms.ts'

type Pending = { resolve: (value: unknown) => void; reject: (fault: Fault) => void }

export type SearchThread = {
  /** Of the store. */
  file: string
  tenant: string
  reasons: (version: string) => Promise<Reasons>
  warn: (error: unknown, what: string) => void
}

/** The index of a store: beside it, and left out of backups. */
export function indexFile(file: string, tenant: string): string {
  return join(dirname(file), `search-${tenant}.db`)
}

export function startSearch({ file, tenant, reasons, warn }: SearchThread): SearchSource {
  const pending = new Map<number, Pending>()
  let nextId = 1
  let thread: Worker | undefined
  let closed = false

  function answer(worker: Worker, message: FromThread): void {
    if ('warning' in message) return warn(message.because, message.warning)
    if ('reasons' in message) {
      const version = message.reasons
      const reply = (texts: Reasons) => worker.postMessage({ reasons: version, texts } satisfies ToThread)
      // Without their texts, entries are found by everything else.
      reasons(version).then(reply, (error: unknown) => {
        warn(error, `the reasons of ${version} can't be read; their words find nothing`)
        reply({})
      })
      return
    }
    const waiting = pending.get(message.id)
    pending.delete(message.id)
    if ('value' in message) waiting?.resolve(message.value)
    else {
      const { code, detail } = message.failed
      waiting?.reject(new Fault(code in FAULTS ? (code as FaultCode) : 'INTERNAL', detail))
    }
  }

  function start(): Worker {
    const workerData: SearchThreadData = { file, index: indexFile(file, tenant), tenant }
    const worker = new Worker(new URL('./search-thread.ts', import.meta.url), { workerData })
    worker.unref()
    worker.on('message', (message: FromThread) => answer(worker, message))
    worker.on('error', (error) => warn(error, 'the search thread failed; the next search starts it again'))
    worker.on('exit', () => {
      thread = undefined
      for (const { reject } of pending.values()) reject(new Fault('STORE_UNAVAILABLE', 'the search thread ended'))
      pending.clear()
    })
    return worker
  }

  function ask(method: SearchMethod, ...args: unknown[]): Promise<unknown> {
    if (closed) return Promise.reject(new Fault('STORE_UNAVAILABLE', 'the search is closed'))
    const worker = (thread ??= start())
    return new Promise((resolve, reject) => {
      const id = nextId++
      pending.set(id, { resolve, reject })
      worker.postMessage({ id, method, args } satisfies ToThread)
    })
  }

  thread = start()
  return {
    search: (query, options) => ask('search', query, options) as Promise<Found>,
    scan: (query, options) => ask('scan', query, options) as Promise<Scanned>,
    status: () => ask('status') as Promise<Status>,
    rebuild: () => ask('rebuild') as Promise<void>,
    async close() {
      const worker = thread
      if (closed || !worker) return
      const over = ask('close').catch(() => undefined)
      closed = true
      await over
      await worker.terminate()
    },
  }
}
