/** Lines of JSON in, as many answers out, in order: whatever the length of the stream, little of it is held at a time. */
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { splitLines } from './split-lines.ts'
import { startEvaluator } from './start-evaluator.ts'

const LINE_BYTES = 16 * 1024 * 1024
/** For one line. The official engine takes seconds over a chain of a few thousand entities. */
const TIMEOUT_MS = 20_000
/** Handed over before the first of them is answered: enough that the thread never waits, few enough to hold. */
const LINES_IN_FLIGHT = 32

type Waiting = { answer: Promise<string>; size: number }

/** @returns whether no line was refused */
export async function evaluateLines(input: Readable, output: Writable): Promise<boolean> {
  const evaluator = startEvaluator(TIMEOUT_MS)
  const waiting: Waiting[] = []
  let held = 0
  let ok = true
  const mustWait = () => waiting.length >= LINES_IN_FLIGHT || held > LINE_BYTES
  const writeFirst = async ({ answer, size }: Waiting) => {
    const text = await answer
    held -= size
    if (text.startsWith('{"error"')) ok = false
    if (!output.write(`${text}\n`)) await once(output, 'drain')
  }
  try {
    for await (const line of splitLines(input, LINE_BYTES)) {
      const size = 'text' in line ? line.text.length : 0
      held += size
      waiting.push({ answer: 'text' in line ? evaluator.ask(line.text) : Promise.resolve(JSON.stringify({ error: line.problem })), size })
      for (let first; mustWait() && (first = waiting.shift());) await writeFirst(first)
    }
    for (const one of waiting) await writeFirst(one)
  } finally {
    evaluator.close()
  }
  return ok
}
