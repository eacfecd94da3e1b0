/** The shape of an evidence bundle's predicate, checked by hand: this package has no dependencies. */
import type { EvidenceEntry, EvidencePredicate, EvidenceTimestamp } from './evidence.ts'

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isPlace = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isList = <T>(value: unknown, is: (item: unknown) => item is T): value is T[] => Array.isArray(value) && value.every(is)
const isEntry = (value: unknown): value is EvidenceEntry =>
  isRecord(value) && isPlace(value['seq']) && isText(value['body']) && isList(value['proof'], isText)

const isTimestamp = (value: unknown): value is EvidenceTimestamp =>
  isRecord(value) && isText(value['checkpoint']) && isText(value['token']) && isList(value['proof'], isText)

function isRange(value: unknown): value is EvidencePredicate['range'] {
  if (!isRecord(value) || !isPlace(value['first']) || !isPlace(value['end'])) return false
  return [value['since'], value['until']].every((time) => time === undefined || isText(time))
}

/** @returns the predicate without what this version does not know; undefined when it is not one */
export function readEvidence(value: unknown): EvidencePredicate | undefined {
  if (!isRecord(value)) return undefined
  const { origin, keys, keyEntries, checkpoint, range, filter, entries, timestamps } = value
  if (!isText(origin) || !isText(checkpoint) || !isList(keys, isText) || keys.length === 0) return undefined
  if (!isList(keyEntries, isEntry) || !isList(entries, isEntry) || !isRange(range)) return undefined
  if (filter !== undefined && !(isRecord(filter) && Object.values(filter).every(isText))) return undefined
  if (timestamps !== undefined && !isList(timestamps, isTimestamp)) return undefined
  const more = { ...(filter && { filter: filter as Record<string, string> }), ...(timestamps && { timestamps }) }
  return { origin, keys, keyEntries, checkpoint, range, entries, ...more }
}
