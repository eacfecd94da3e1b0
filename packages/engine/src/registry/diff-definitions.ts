/** What changed between two definitions of a tool, for a person who decides whether it is a rug pull. */
import { diffWordsWithSpace } from 'diff'
import type { Json } from '@ephor/engine/kernel'
import type { Difference } from './types.ts'
import { spellHidden } from './untrusted-text.ts'

/** More differences than this are only counted: nobody reads them, and the server controls how many there are. */
const MAX_DIFFERENCES = 200
const MAX_TEXT = 2000

const shorten = (text: string) => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}… (${text.length} characters)` : text)
const show = (value: Json) => shorten(spellHidden(JSON.stringify(value)))

function diffText(where: string, before: string, after: string): Difference {
  const [was, now] = [spellHidden(before), spellHidden(after)]
  // Bounded: the server controls both texts, and the algorithm's worst case is quadratic.
  const words = diffWordsWithSpace(was, now, { timeout: 100, maxEditLength: 4000 })
  const parts: NonNullable<Difference['parts']> = words
    ? words.map(({ added, removed, value }) => ({ op: added ? 'added' : removed ? 'removed' : 'same', text: value }))
    : [
        { op: 'removed', text: was },
        { op: 'added', text: now },
      ]
  const text = parts.map(({ op, text: part }) => (op === 'same' ? part : op === 'added' ? `{+${part}+}` : `[-${part}-]`)).join('')
  return { where, change: 'changed', text: shorten(text), parts }
}

const children = (value: Json): [string, Json][] | undefined =>
  value === null || typeof value !== 'object' ? undefined : Object.entries(value)

function compare(where: string, before: Json, after: Json, found: Difference[]): void {
  if (before === after || found.length > MAX_DIFFERENCES) return
  if (typeof before === 'string' && typeof after === 'string') {
    found.push(diffText(where, before, after))
    return
  }
  const [old, now] = [children(before), children(after)]
  if (!old || !now || Array.isArray(before) !== Array.isArray(after)) {
    found.push({ where, change: 'changed', text: `${show(before)} became ${show(after)}` })
    return
  }
  const [oldKeys, nowKeys] = [new Map(old), new Map(now)]
  for (const key of new Set([...oldKeys.keys(), ...nowKeys.keys()])) {
    const pointer = `${where}/${spellHidden(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
    const [was, is] = [oldKeys.get(key), nowKeys.get(key)]
    if (was === undefined && is !== undefined) found.push({ where: pointer, change: 'added', text: show(is) })
    else if (is === undefined && was !== undefined) found.push({ where: pointer, change: 'removed', text: show(was) })
    else if (was !== undefined && is !== undefined) compare(pointer, was, is, found)
  }
}

/** Path by path; hidden characters are written out, long values shortened. */
export function diffDefinitions(before: Json, after: Json): Difference[] {
  const found: Difference[] = []
  compare('', before, after, found)
  if (found.length <= MAX_DIFFERENCES) return found
  return [
    ...found.slice(0, MAX_DIFFERENCES),
    { where: '', change: 'changed', text: `more than ${MAX_DIFFERENCES} differences; only the first are shown` },
  ]
}
