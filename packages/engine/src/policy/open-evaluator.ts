/** Puts questions to Cedar in its thread: those of the same moment together, each with its own deadline. */
import type { CedarCalls, Evaluation, Question } from './cedar-thread.ts'
import { startCedar } from './start-cedar.ts'
import type { Cedar } from './start-cedar.ts'

/** `broken`: the engine failed twice on it, the second time alone. */
export type Answer = Evaluation | 'timeout' | 'broken'

export interface Evaluator {
  /** @param policies ids of the policies that the slice of the question names */
  evaluate(question: Question, policies: readonly string[]): Promise<Answer>
  /** Answers what was asked, then ends. */
  close(): void
}

/** Questions in one message at most: it bounds how long one waits behind the others. */
const MAX_BATCH = 64

type Item = {
  question: Question
  policies: readonly string[]
  /** Was in a message that broke the thread, so it is asked alone the next time. */
  suspect: boolean
  done: boolean
  resolve(answer: Answer): void
}

/**
 * @param policies texts by id, all written as permits
 * @param start makes a thread; tests hand in their own
 */
export function openEvaluator(policies: Record<string, string>, timeoutMs: number, start: () => Cedar = startCedar): Evaluator {
  let queue: Item[] = []
  let flying: Item[] = []
  let cedar: Cedar | undefined
  let known = new Set<string>()
  let closing = false

  function settle(item: Item, answer: Answer): void {
    if (item.done) return
    item.done = true
    item.resolve(answer)
  }

  function thread(): Cedar {
    if (cedar && !cedar.dead) return cedar
    cedar = start()
    known = new Set()
    cedar.ask('load', policies).catch(() => undefined)
    return cedar
  }

  function nextBatch(): Item[] {
    queue = queue.filter((item) => !item.done)
    const suspect = queue.findIndex((item) => item.suspect)
    if (suspect >= 0) return queue.splice(suspect, 1)
    return queue.splice(0, MAX_BATCH)
  }

  function flush(): void {
    if (flying.length > 0) return
    const batch = nextBatch()
    if (batch.length === 0) {
      if (closing) cedar?.close()
      return
    }
    flying = batch
    const to = thread()
    const argument: CedarCalls['evaluate'][0] = { slices: {}, questions: batch.map(({ question }) => question) }
    for (const { question, policies: ids } of batch) {
      if (!known.has(question.slice)) argument.slices[question.slice] = ids
      known.add(question.slice)
    }
    void carry(batch, to.ask('evaluate', argument))
  }

  async function carry(batch: Item[], asking: Promise<Evaluation[]>): Promise<void> {
    try {
      const answers = await asking
      for (const [i, item] of batch.entries()) settle(item, answers[i] ?? 'broken')
    } catch {
      // One of them broke the thread. The others deserve an answer: each is asked again, alone.
      for (const item of batch) {
        if (item.suspect) settle(item, 'broken')
        else item.suspect = true
      }
      queue.unshift(...batch)
    }
    flying = []
    flush()
  }

  function expire(item: Item): void {
    if (item.done) return
    settle(item, 'timeout')
    // It may be the one that the thread hangs on: a fresh thread serves the others.
    if (flying.includes(item)) cedar?.close()
  }

  // The first call should not pay for the start.
  thread()

  return {
    evaluate(question, ids) {
      return new Promise((resolve) => {
        const item: Item = { question, policies: ids, suspect: false, done: false, resolve: finish }
        const timer = setTimeout(() => expire(item), timeoutMs)
        function finish(answer: Answer): void {
          clearTimeout(timer)
          resolve(answer)
        }
        queue.push(item)
        if (queue.length === 1 && flying.length === 0) queueMicrotask(flush)
      })
    },
    close() {
      closing = true
      flush()
    },
  }
}
