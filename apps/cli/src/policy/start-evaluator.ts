/** A handle on the thread of `ephor policy eval`: lines in, answers out in the same order; the thread is replaced at the first throw. */
import { Worker } from 'node:worker_threads'
import type { EvalReply } from './eval-thread.ts'

export interface Evaluator {
  /** @returns the answer, a line of JSON; never rejects */
  ask(line: string): Promise<string>
  close(): void
}

type Asked = { line: string; answer: (text: string) => void }

/** A thread is replaced after so many lines: what an engine leaves in memory over the hours goes with it. */
const LINES_PER_THREAD = 25_000

const refusal = (code: string, message: string) => JSON.stringify({ error: { code, message } })

/** @param timeoutMs for one line; a few thousand entities in one chain take the official engine seconds */
export function startEvaluator(timeoutMs: number): Evaluator {
  const asked: Asked[] = []
  let thread: Worker | undefined
  let timer: NodeJS.Timeout | undefined
  let answered = 0

  function watch(): void {
    timer = setTimeout(() => replace(refusal('POLICY_TIMEOUT', `no answer within ${timeoutMs} ms`)), timeoutMs)
  }

  /** The first that was asked has its answer; the time of the next begins. */
  function settle(text: string): void {
    clearTimeout(timer)
    const first = asked.shift()
    if (asked.length > 0) watch()
    first?.answer(text)
  }

  /** What the thread has not answered is asked again, of a new one. */
  function renew(): void {
    void thread?.terminate()
    thread = undefined
    for (const { line } of asked) running().postMessage(line)
  }

  /** What the thread was busy with is refused. */
  function replace(text: string): void {
    settle(text)
    renew()
  }

  function running(): Worker {
    if (thread) return thread
    const started = new Worker(new URL('./eval-thread.ts', import.meta.url), { resourceLimits: { stackSizeMb: 8 } })
    const ended = (detail: string) => {
      if (thread === started) replace(refusal('POLICY_ERROR', `the official engine failed on this line: ${detail}`))
    }
    started.on('message', (reply: EvalReply) => {
      if (thread !== started) return
      if ('broken' in reply) ended(reply.broken)
      else settle(reply.answer)
      if (++answered % LINES_PER_THREAD === 0) renew()
    })
    started.on('error', (error: Error) => ended(error.message))
    started.on('exit', () => ended('its thread ended'))
    thread = started
    return started
  }

  return {
    ask: (line) =>
      new Promise((answer) => {
        asked.push({ line, answer })
        running().postMessage(line)
        if (asked.length === 1) watch()
      }),
    close() {
      clearTimeout(timer)
      const last = thread
      thread = undefined
      void last?.terminate()
    },
  }
}
