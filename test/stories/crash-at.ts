/**
 * Preloaded into a server under test (`node --import`): kills it without warning at one step of a call. It watches what
 * goes to and comes from the store's thread, so production code has no test hooks.
 *
 * CRASH_AT: before-intent | after-intent | before-outcome | after-outcome. Applies to calls of tools, once.
 */
import { Worker } from 'node:worker_threads'

const at = process.env['CRASH_AT']
const dead = () => process.kill(process.pid, 'SIGKILL')

/** The ledger's bodies are canonical JSON in what is sent to the thread; this finds them wherever they are in the message. */
function mentions(message: unknown, type: 'decision' | 'outcome'): boolean {
  const text = JSON.stringify(message, (_, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value))
  if (type === 'outcome') return /\\?"type\\?":\\?"outcome\\?"/.test(text)
  return (
    /\\?"type\\?":\\?"decision\\?"/.test(text) && /\\?"effect\\?":\\?"permit\\?"/.test(text) && /\\?"name\\?":\\?"append\\?"/.test(text)
  )
}

if (at !== undefined) {
  const [moment, what] = at.split('-') as ['before' | 'after', 'intent' | 'outcome']
  const type = what === 'intent' ? 'decision' : 'outcome'
  // oxlint-disable-next-line typescript/unbound-method -- called with its own worker below
  const post = Worker.prototype.postMessage
  const watched = new WeakMap<Worker, Set<number>>()
  Worker.prototype.postMessage = function (this: Worker, message: { id?: number; kind?: string }, ...rest: never[]) {
    if (message?.kind === 'commit' && mentions(message, type)) {
      if (moment === 'before') dead()
      const ids = watched.get(this) ?? new Set<number>()
      if (!watched.has(this)) {
        watched.set(this, ids)
        // Ahead of the store's own listener: durable, but not yet known to anybody.
        this.prependListener('message', (reply: { id?: number }) => reply.id !== undefined && ids.has(reply.id) && dead())
      }
      if (message.id !== undefined) ids.add(message.id)
    }
    return post.call(this, message, ...rest)
  }
}
