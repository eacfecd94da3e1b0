/** Who wants to know what becomes of approvals: listeners to all of them, and retries that wait for one. */
import type { Logger } from '@ephor/engine/kernel'
import type { Approval } from './types.ts'

export interface Waiting {
  on(listener: (approval: Approval) => void): () => void
  tell(approval: Approval): void
  /** Begins to listen at once, so that nothing is missed between looking and waiting. */
  until(id: string, signal: AbortSignal): { within(ms: number): Promise<void>; stop(): void }
  /** Lets everyone go. */
  close(): void
}

export function makeWaiting(log: Logger): Waiting {
  const listeners = new Set<(approval: Approval) => void>()
  const releases = new Set<() => void>()
  let closed = false

  function on(listener: (approval: Approval) => void): () => void {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  return {
    on,
    tell(approval) {
      for (const listener of listeners)
        try {
          listener(approval)
        } catch (error) {
          // What is told has been written: a listener that fails must not make it look as if it had not.
          log.error({ err: error }, 'a listener to approvals failed')
        }
    },
    until(id, signal) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const off = on((approval) => {
        if (approval.id === id && approval.state !== 'pending') resolve()
      })
      releases.add(resolve)
      const release = () => resolve()
      signal.addEventListener('abort', release)
      if (signal.aborted || closed) resolve()
      let timer: NodeJS.Timeout | undefined
      return {
        within(ms) {
          timer = setTimeout(resolve, Math.max(0, ms))
          return promise
        },
        stop() {
          clearTimeout(timer)
          off()
          releases.delete(resolve)
          signal.removeEventListener('abort', release)
        },
      }
    },
    close() {
      closed = true
      for (const release of releases) release()
    },
  }
}
