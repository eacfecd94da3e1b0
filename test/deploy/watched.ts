/** Finds the fields that a validator never looked at: the schemas of Kubernetes let unknown ones through, and so would a misspelled one pass. */

type Unread = () => string[]

function watch(value: unknown, path: string, unread: Unread[]): unknown {
  if (value === null || typeof value !== 'object') return value
  const read = new Set<string | symbol>()
  const inner = new Map<string | symbol, unknown>()
  unread.push(() =>
    Object.keys(value)
      .filter((key) => !read.has(key))
      .map((key) => `${path}.${key}`),
  )
  return new Proxy(value, {
    get(target, key) {
      read.add(key)
      if (!inner.has(key)) inner.set(key, watch(Reflect.get(target, key), `${path}.${String(key)}`, unread))
      return inner.get(key)
    },
  })
}

/** What `validate` makes of the value, and which of its fields the schema does not know. */
export function watched(value: unknown, validate: (value: unknown) => boolean): { valid: boolean; unknown: string[] } {
  const unread: Unread[] = []
  const valid = validate(watch(value, '', unread))
  return { valid, unknown: unread.flatMap((list) => list()) }
}
