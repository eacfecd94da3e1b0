/** Says when something in a folder may have changed: by the system's notice where there is one, and by looking in any case. */
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'

/** Editors write in several steps: wait until they are done. */
const QUIET_MS = 100

/** @returns stops watching */
export function watchFolder(folder: string, pollMs: number, look: () => void): () => void {
  let watcher: FSWatcher | undefined
  let quiet: NodeJS.Timeout | undefined

  function drop(): void {
    watcher?.close()
    watcher = undefined
  }
  function start(): void {
    try {
      watcher = watch(folder, { persistent: false }, () => {
        clearTimeout(quiet)
        quiet = setTimeout(look, QUIET_MS).unref()
      })
      watcher.on('error', drop)
    } catch {
      // No such folder, or no notices on this file system: the next look tries again.
      drop()
    }
  }
  start()
  const poll = setInterval(() => {
    if (!watcher) start()
    look()
  }, pollMs).unref()
  return () => {
    clearInterval(poll)
    clearTimeout(quiet)
    drop()
  }
}
