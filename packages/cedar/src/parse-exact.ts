/** JSON text with its integers exact: what is beyond 2^53 becomes a bigint instead of a near number. */
import { CedarError } from './cedar-error.ts'

/**
 * For Cedar's JSON, which knows no other numbers than integers.
 * @throws CedarError JSON_INVALID for what is no JSON or nests too deep, INTEGER_INVALID for numbers that are no integers
 */
export function parseExact(text: string): unknown {
  try {
    return JSON.parse(text, exact as (key: string, value: unknown) => unknown)
  } catch (error) {
    if (error instanceof CedarError) throw error
    throw new CedarError('JSON_INVALID', `This is no JSON that can be read: ${(error as Error).message}`)
  }
}

/** The third argument, with the source of the number, is newer than TypeScript's own declarations. */
function exact(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== 'number' || source === undefined) return value
  if (!/^(?:0|-?[1-9][0-9]*)$/.test(source)) throw new CedarError('INTEGER_INVALID', `The number ${source.slice(0, 40)} is no integer.`)
  return Number.isSafeInteger(value) ? value : BigInt(source.slice(0, 64))
}
