/** Keeps 64-bit integers whole where the official engine hands over JSON, which it does through JSON.parse. */

/**
 * Runs `work`, during which JSON.parse reads an integer beyond 2^53 as a bigint. For the few synchronous calls that ask the official
 * engine for the JSON form of a policy: without it, `context.n == 9223372036854775807` would silently compare with 9223372036854775808.
 */
export function withExactIntegers<T>(work: () => T): T {
  const parse = JSON.parse
  const exact = (_key: string, value: unknown, { source }: { source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) ? BigInt(source ?? '') : value
  // A reviver is slow; most policies have no such integer.
  JSON.parse = (text: string) => (/\d{16}/.test(text) ? parse(text, exact as (key: string, value: unknown) => unknown) : parse(text))
  try {
    return work()
  } finally {
    JSON.parse = parse
  }
}
