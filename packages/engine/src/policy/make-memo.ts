/** A cache bounded in entries and in bytes, that forgets what was not used for longest. */

export interface Memo<T> {
  get(key: string): T | undefined
  set(key: string, value: T): void
  readonly size: number
}

/** What an entry costs beside its key, roughly. */
const ENTRY_BYTES = 300

/** Keys longer than this are not worth their memory. */
const MAX_KEY = 8192

export function makeMemo<T>(maxEntries: number, maxBytes: number): Memo<T> {
  const entries = new Map<string, T>()
  let bytes = 0
  const cost = (key: string) => key.length * 2 + ENTRY_BYTES
  return {
    get(key) {
      const value = entries.get(key)
      if (value === undefined) return undefined
      entries.delete(key)
      entries.set(key, value)
      return value
    },
    set(key, value) {
      if (key.length > MAX_KEY) return
      if (entries.delete(key)) bytes -= cost(key)
      entries.set(key, value)
      bytes += cost(key)
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries && bytes <= maxBytes) break
        entries.delete(oldest)
        bytes -= cost(oldest)
      }
    },
    get size() {
      return entries.size
    },
  }
}
