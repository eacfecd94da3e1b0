/** The disposable thread in which the solver (Z3, as WebAssembly) runs: one question at a time, ended from outside when it takes too long. */
import { createRequire } from 'node:module'
import { parentPort } from 'node:worker_threads'

export type SolverRequest = { script: string }
/** `ready`: the solver is loaded, and takes questions. */
export type SolverReply = { output: string } | { ready: true }

type Module = {
  ccall(name: string, returns: 'number' | 'string' | null, types: readonly ('number' | 'string')[], values: readonly unknown[]): unknown
  _set_noop_error_handler(context: unknown): void
}

// The package's own door starts threads inside this one and reads a script after freeing it; called synchronously, the
// module does neither.
const load = createRequire(import.meta.url)('z3-solver/build/z3-built.js') as () => Promise<Module>
const z3 = await load()
// Megabytes. Beyond it the answer is "unknown" instead of a process without memory.
z3.ccall('Z3_global_param_set', null, ['string', 'string'], ['memory_max_size', '512'])
const context = z3.ccall('Z3_mk_context', 'number', ['number'], [z3.ccall('Z3_mk_config', 'number', [], [])])
z3._set_noop_error_handler(context)

const port = parentPort
port?.postMessage({ ready: true } satisfies SolverReply)
port?.on('message', ({ script }: SolverRequest) => {
  const output = z3.ccall('Z3_eval_smtlib2_string', 'string', ['number', 'string'], [context, script]) as string
  port.postMessage({ output } satisfies SolverReply)
})
