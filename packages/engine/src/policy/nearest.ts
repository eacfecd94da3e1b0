/** The known name that is most like a mistyped one. */

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** @returns undefined when none is within a third of the name's length (at least two letters) */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const short = name.slice(0, 100)
  let best: string | undefined
  let bound = Math.max(2, Math.floor(short.length / 3)) + 1
  for (const candidate of known) {
    if (Math.abs(candidate.length - short.length) >= bound) continue
    const found = distance(short, candidate)
    if (found < bound) [best, bound] = [candidate, found]
  }
  return best
}
