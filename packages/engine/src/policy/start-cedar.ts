/** A handle on one Cedar thread. It is thrown away whole: at the first throw, at a time-out, or when its work is done. */
import { Worker } from 'node:worker_threads'
import type { CedarCalls, CedarReply } from './cedar-thread.ts'

/** The thread ended without answering. What it was asked has no answer; it may have been the cause, or not. */
class CedarBroken extends Error {}

export interface Cedar {
  /** @throws CedarBroken when the thread throws, ends, or does not answer within `timeoutMs` */
  ask<K extends keyof CedarCalls>(kind: K, argument: CedarCalls[K][0], timeoutMs?: number): Promise<CedarCalls[K][1]>
  readonly dead: boolean
  close(): void
}

type Pending = { resolve(value: unknown): void; reject(error: Error): void; timer: NodeJS.Timeout | undefined }

export function startCedar(): Cedar {
  const thread = new Worker(new URL('./cedar-thread.ts', import.meta.url), { resourceLimits: { stackSizeMb: 8 } })
  const pending = new Map<number, Pending>()
  let dead = false
  let nextId = 1

  function end(detail: string): void {
    if (dead) return
    dead = true
    for (const one of pending.values()) {
      clearTimeout(one.timer)
      one.reject(new CedarBroken(detail))
    }
    pending.clear()
    void thread.terminate()
  }
  // Waiting for an answer keeps the process alive; an idle thread doesn't.
  thread.unref()
  thread.on('error', (error: Error) => end(error.message))
  thread.on('exit', () => end('the thread ended'))
  thread.on('message', (reply: CedarReply) => {
    if ('broken' in reply) return end(reply.broken)
    const to = pending.get(reply.id)
    pending.delete(reply.id)
    if (pending.size === 0) thread.unref()
    clearTimeout(to?.timer)
    to?.resolve(reply.value)
  })

  return {
    ask<K extends keyof CedarCalls>(kind: K, argument: CedarCalls[K][0], timeoutMs?: number) {
      if (dead) return Promise.reject(new CedarBroken('the thread ended'))
      return new Promise<CedarCalls[K][1]>((resolve, reject) => {
        const id = nextId++
        const timer = timeoutMs === undefined ? undefined : setTimeout(() => end(`no answer in ${timeoutMs} ms`), timeoutMs)
        pending.set(id, { resolve, reject, timer })
        thread.ref()
        thread.postMessage({ id, kind, argument })
      })
    },
    get dead() {
      return dead
    },
    close: () => end('closed'),
  }
}
