/** Puts questions to the solver in its thread, one after another, each with a deadline; what is not answered is unknown. */
import { Worker } from 'node:worker_threads'
import type { SolverReply, SolverRequest } from './solve-thread.ts'

/** `model`: the values that were asked for, as the solver writes them. */
export type Verdict = { kind: 'impossible' } | { kind: 'possible'; model: string } | { kind: 'unknown' }

export interface Solver {
  /** @param script declarations and assertions, without `check-sat` */
  solve(script: string, values: readonly string[]): Promise<Verdict>
  close(): Promise<void>
}

export type SolverLimits = {
  /** Of one question; the thread is thrown away after it, where the count of steps didn't end it before. */
  questionMs: number
  /** Of all questions together. */
  totalMs: number
}

/** Z3's own count of its work: the same question always ends at the same step, however fast the machine is. */
const STEPS = 2_000_000
const LOAD_MS = 20_000
const MAX_SCRIPT = 2 * 1024 * 1024
const UNKNOWN: Verdict = { kind: 'unknown' }

function scriptOf(body: string, values: readonly string[]): string {
  const asked = values.length === 0 ? '' : `(get-value (${values.join(' ')}))`
  return `(reset)(set-option :rlimit ${STEPS})(set-option :model.completion true)\n${body}\n(check-sat)\n${asked}`
}

function verdictOf(output: string): Verdict {
  if (/^unsat\b/.test(output)) return { kind: 'impossible' }
  return /^sat\b/.test(output) && !output.includes('(error') ? { kind: 'possible', model: output.slice(3) } : UNKNOWN
}

type Waiting = (reply: SolverReply | undefined) => void

/** The next message of a thread; undefined when it ends, or says nothing for so long. */
function nextReply(thread: Worker, timeoutMs: number): Promise<SolverReply | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle(undefined), timeoutMs)
    const onEnd = () => settle(undefined)
    const settle: Waiting = (reply) => {
      clearTimeout(timer)
      thread.off('message', settle).off('error', onEnd).off('exit', onEnd)
      resolve(reply)
    }
    thread.on('message', settle).on('error', onEnd).on('exit', onEnd)
  })
}

export function startSolver({ questionMs, totalMs }: SolverLimits): Solver {
  const end = performance.now() + totalMs
  const left = (most: number) => Math.max(0, Math.min(most, end - performance.now()))
  let thread: Worker | undefined
  let tail: Promise<unknown> = Promise.resolve()

  async function drop(): Promise<void> {
    const old = thread
    thread = undefined
    await old?.terminate()
  }

  /** Loading it is not a part of any question's time. */
  async function start(): Promise<Worker> {
    const started = new Worker(new URL('./solve-thread.ts', import.meta.url))
    thread = started
    // One that fails while nothing is asked of it is replaced at the next question.
    started.on('error', () => thread === started && (thread = undefined))
    await nextReply(started, left(LOAD_MS))
    return started
  }

  async function put(script: string): Promise<Verdict> {
    if (left(1) <= 0 || script.length > MAX_SCRIPT) return UNKNOWN
    const to = thread ?? (await start())
    const answer = nextReply(to, left(questionMs))
    to.postMessage({ script } satisfies SolverRequest)
    const reply = await answer
    if (reply && 'output' in reply) return verdictOf(reply.output)
    // It still thinks, or it failed and may be damaged: the next question gets a fresh one.
    await drop()
    return UNKNOWN
  }

  return {
    solve(body, values) {
      const turn = tail.then(() => put(scriptOf(body, values)))
      tail = turn
      return turn
    },
    close: drop,
  }
}
