/** The disposable thread of `ephor policy eval`: the official engine reads and checks a line, the compiled policies decide it. */
import { setFlagsFromString } from 'node:v8'
import { parentPort } from 'node:worker_threads'
import { makeLineEvaluator } from './evaluate-line.ts'

/** One line's answer, in the order of the questions; `broken` says that the engine threw and that the thread ends. */
export type EvalReply = { answer: string } | { broken: string }

// Without it, one workload aborted the process under Node 20 and 22. It has to be set before the module is compiled.
setFlagsFromString('--no-turbo-inline-js-wasm-calls')
const evaluateLine = makeLineEvaluator(await import('@cedar-policy/cedar-wasm/nodejs'))

const port = parentPort
port?.on('message', (line: string) => {
  try {
    port.postMessage({ answer: evaluateLine(line) } satisfies EvalReply)
  } catch (error) {
    // After a throw the instance may be damaged and answer anything: nothing more is asked of it.
    port.postMessage({ broken: (error as Error).message } satisfies EvalReply)
    port.close()
  }
})
