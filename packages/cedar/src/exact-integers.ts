/** Keeps 64-bit integers whole on their way to and from the official engine, which goes through JSON.stringify and JSON.parse. */

type ToJson = { toJSON?: (this: bigint) => unknown }
type WithRawJson = typeof JSON & { rawJSON(text: string): unknown }

function exact(_key: string, value: unknown, { source }: { source?: string }): unknown {
  return typeof value === 'number' && !Number.isSafeInteger(value) ? BigInt(source ?? '') : value
}

/**
 * For the few synchronous calls that ask the official engine something. During `work`, JSON.parse reads an integer beyond 2^53 as a
 * bigint, and JSON.stringify writes a bigint as the integer that it is. Without it, the JSON form of
 * `context.n == 9223372036854775807` would silently compare with 9223372036854775808.
 */
export function withExactIntegers<T>(work: () => T): T {
  const { parse } = JSON
  const prototype = BigInt.prototype as ToJson
  const { toJSON } = prototype
  // A reviver is slow; most texts have no such integer.
  JSON.parse = (text: string) => (/\d{16}/.test(text) ? parse(text, exact as (key: string, value: unknown) => unknown) : parse(text))
  prototype.toJSON = function toRaw() {
    return (JSON as WithRawJson).rawJSON(String(this))
  }
  try {
    return work()
  } finally {
    JSON.parse = parse
    if (toJSON) prototype.toJSON = toJSON
    else delete prototype.toJSON
  }
}
