/** The `like` operator: `*` stands for any text. */

export type PatternJson = readonly ('Wildcard' | { Literal: string })[]
export type Pattern = (text: string) => boolean

/**
 * Both texts are well-formed (readers see to it), so comparing UTF-16 units is comparing code points: a literal never
 * begins or ends inside a pair. Between the first and the last literal, taking the first place that fits is enough.
 */
export function compilePattern(elements: PatternJson): Pattern {
  const pieces = ['']
  for (const element of elements) {
    if (element === 'Wildcard') pieces.push('')
    else pieces[pieces.length - 1] += element.Literal
  }
  const [head = '', tail = ''] = [pieces[0], pieces.at(-1)]
  if (pieces.length === 1) return (text) => text === head
  const middle = pieces.slice(1, -1).filter((piece) => piece !== '')
  return (text) => {
    if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false
    let at = head.length
    const end = text.length - tail.length
    for (const piece of middle) {
      const found = text.indexOf(piece, at)
      if (found < 0 || found + piece.length > end) return false
      at = found + piece.length
    }
    return true
  }
}
