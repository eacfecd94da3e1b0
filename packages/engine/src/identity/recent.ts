/** A bounded memory: of more than it holds, what was asked for longest ago is forgotten. */

export type Recent<T> = { get(key: string): T | undefined; set(key: string, value: T): void; delete(key: string): void }

export function makeRecent<T>(capacity: number): Recent<T> {
  // A Map iterates in order of insertion: what is used is inserted anew.
  const entries = new Map<string, T>()
  function set(key: string, value: T): void {
    entries.delete(key)
    entries.set(key, value)
    const [oldest] = entries.keys()
    if (entries.size > capacity && oldest !== undefined) entries.delete(oldest)
  }
  return {
    get(key) {
      const value = entries.get(key)
      if (value !== undefined) set(key, value)
      return value
    },
    set,
    delete: (key) => void entries.delete(key),
  }
}
