/** All matches of a pattern in a text. `matchAll` would copy the pattern each time, which costs more than most texts take. */
import type { Span } from './types.ts'

/** @param pattern with the flag `g` */
export function matchesOf(text: string, pattern: RegExp): RegExpExecArray[] {
  const found: RegExpExecArray[] = []
  pattern.lastIndex = 0
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) found.push(match)
  return found
}

export function spansOf(text: string, pattern: RegExp, isReal: (match: RegExpExecArray) => boolean = () => true): Span[] {
  return matchesOf(text, pattern)
    .filter(isReal)
    .map(({ 0: match, index: start }) => ({ start, end: start + match.length }))
}
