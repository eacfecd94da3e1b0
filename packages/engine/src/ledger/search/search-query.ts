/** A search as it was asked: its terms, its time, and the cursors that belong to it. */
import { hash } from 'node:crypto'
import { Fault, SEARCH_FIELDS } from '@ephor/contract'
import type { SearchField } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import { term, termsOf } from './terms.ts'
import type { Reasons } from './terms.ts'
import { wordsOf } from './words.ts'

/** As people say it; a field with several values wants any of them. Times are RFC 3339. */
export type Filters = { [K in SearchField]?: string | readonly string[] | undefined } & {
  text?: string | undefined
  since?: string | undefined
  until?: string | undefined
}

/** Can be posted to a thread. */
export type Query = {
  /** An entry needs a term of each. */
  groups: string[][]
  /** ms since 1970; `until` excluded. */
  since: number | undefined
  until: number | undefined
}

const FIELDS = Object.keys(SEARCH_FIELDS) as SearchField[]
const time = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text))

/** @throws Fault REQUEST_INVALID for a text without a word */
export function toQuery(filters: Filters): Query {
  const groups = FIELDS.flatMap((field) => {
    const values = filters[field]
    return values === undefined ? [] : [[...new Set([values].flat())].map((value) => term(field, value))]
  })
  if (filters.text !== undefined) {
    const words = [...wordsOf([filters.text])]
    if (words.length === 0) throw new Fault('REQUEST_INVALID', 'the text has no word to look for', { where: 'query/text' })
    groups.push(...words.map((word) => [term('text', word)]))
  }
  return { groups, since: time(filters.since), until: time(filters.until) }
}

/** When the entry was written, as it says: ms since 1970, or NaN. */
export function timeOf({ at }: JsonObject): number {
  return typeof at === 'string' ? Date.parse(at) : Number.NaN
}

/** Whether an entry is one of those. */
export function matches({ groups, since, until }: Query, body: JsonObject, reasons: Reasons): boolean {
  if (since !== undefined || until !== undefined) {
    const at = timeOf(body)
    if (!(at >= (since ?? -Infinity) && at < (until ?? Infinity))) return false
  }
  if (groups.length === 0) return true
  const terms = termsOf(body, reasons)
  return groups.every((group) => group.some((one) => terms.has(one)))
}

export type Order = 'newest' | 'oldest'

/** What a cursor belongs to. Not the times: "the last two hours" is another time with each page that is asked for. */
function nameOf({ groups }: Query, order: Order): string {
  return hash('sha256', JSON.stringify([order, groups]), 'hex').slice(0, 12)
}

/** @param seq the last entry that was looked at */
export function toCursor(query: Query, order: Order, seq: number): string {
  return `${seq}-${nameOf(query, order)}`
}

/** @returns the seq in it @throws Fault REQUEST_INVALID when it is none of this search */
export function readCursor(query: Query, order: Order, cursor: string): number {
  const [, seq, name] = /^(0|[1-9]\d{0,14})-([0-9a-f]{12})$/.exec(cursor) ?? []
  if (seq === undefined) throw new Fault('REQUEST_INVALID', 'not a cursor', { where: 'query/cursor' })
  if (name !== nameOf(query, order)) throw new Fault('REQUEST_INVALID', 'the cursor belongs to another search', { where: 'query/cursor' })
  return Number(seq)
}
