/** The words of a text, as they are indexed and looked for: the same for both, or nothing would be found. */

/** An entry has at most this many different words, and a word this many characters: an agent must not choose what the index costs. */
const MAX_WORDS = 200
const MAX_LENGTH = 64

/** Lower case, compatibility forms (Unicode NFKC), and without the `s` of a plural: "folders" is found by "folder". */
function fold(word: string): string {
  return word.length > 3 && word.endsWith('s') && !word.endsWith('ss') ? word.slice(0, -1) : word
}

export function wordsOf(texts: Iterable<string>): Set<string> {
  const words = new Set<string>()
  for (const text of texts) {
    for (const [word] of text
      .normalize('NFKC')
      .toLowerCase()
      .matchAll(/[\p{L}\p{N}]+/gu)) {
      if (word.length > 1) words.add(fold(word.slice(0, MAX_LENGTH)))
      if (words.size >= MAX_WORDS) return words
    }
  }
  return words
}
