/** Redacts without holding up anything else: small values at once, large ones in a thread, one after another, each with its time. */
import { Worker } from 'node:worker_threads'
import type { RedactionCategory } from '@ephor/contract'
import type { Json } from '@ephor/engine/kernel'
import { measure } from './measure.ts'
import { redact } from './redact.ts'
import type { RedactReply, RedactRequest } from './redact-thread.ts'
import type { Redacted } from './types.ts'

export interface Redactor {
  /** Never rejects: what could not be examined in time, or after `close`, is unexaminable. */
  redact(value: Json, categories: readonly RedactionCategory[]): Promise<Redacted>
  close(): void
}

/** Characters and values together; so much is examined faster than it is handed to a thread, whatever it says. */
const SMALL = 16 * 1024
/** Several times what the slowest text that is known takes. */
const TIMEOUT_MS = 2000
const LOAD_MS = 20_000
/** How many large values may be under way or wait at once, which bounds the wait and the memory. */
const MOST = 64

const unexaminable = (detail: string): Redacted => ({ kind: 'unexaminable', detail })

/** The next message of a thread; undefined when it ends, or says nothing for so long. */
function nextReply(thread: Worker, timeoutMs: number): Promise<RedactReply | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle(undefined), timeoutMs)
    const onEnd = () => settle(undefined)
    function settle(reply: RedactReply | undefined): void {
      clearTimeout(timer)
      thread.off('message', settle).off('error', onEnd).off('exit', onEnd)
      resolve(reply)
    }
    thread.on('message', settle).on('error', onEnd).on('exit', onEnd)
  })
}

export function startRedactor({ timeoutMs = TIMEOUT_MS } = {}): Redactor {
  let thread: Worker | undefined
  let tail: Promise<unknown> = Promise.resolve()
  let underWay = 0
  let isClosed = false

  function drop(): void {
    void thread?.terminate()
    thread = undefined
  }

  /** Loading is not a part of any value's time. */
  async function start(): Promise<Worker | undefined> {
    const started = new Worker(new URL('./redact-thread.ts', import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: 256 } })
    thread = started
    // What is waited for has a timer, which keeps the process alive; an idle thread must not.
    started.unref()
    started.on('error', () => thread === started && (thread = undefined))
    return (await nextReply(started, LOAD_MS)) && started
  }

  async function ask(request: RedactRequest): Promise<RedactReply | undefined> {
    const to = thread ?? (await start())
    if (!to) return undefined
    const answer = nextReply(to, timeoutMs)
    to.postMessage(request)
    return answer
  }

  async function examine(request: RedactRequest): Promise<Redacted> {
    if (isClosed) return unexaminable('nothing is examined any more')
    const reply = await ask(request).catch(() => undefined)
    if (reply && reply.kind !== 'ready') return reply
    // It still thinks, or it broke: the next value gets a fresh one.
    drop()
    return unexaminable(`examining it took longer than ${timeoutMs} ms, or failed`)
  }

  return {
    async redact(value, categories) {
      const measured = measure(value)
      if ('detail' in measured) return unexaminable(measured.detail)
      if (measured.size <= SMALL) return redact(value, categories)
      if (underWay >= MOST) return unexaminable('too many results wait to be examined')
      underWay++
      const turn = tail.then(() => examine({ value, categories })).finally(() => underWay--)
      tail = turn
      return turn
    },
    close() {
      isClosed = true
      drop()
    },
  }
}
