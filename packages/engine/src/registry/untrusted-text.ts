/** Text that a tool server controls: how it is shown, and when two names look the same to a person or a model. */

// Everything that draws nothing or reorders what is drawn: controls, format and bidi characters, tags, variation
// selectors, blank letters (Hangul fillers), line separators. Unicode 17: Cc, Cf, Default_Ignorable_Code_Point.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800]/u
const HIDDEN_RUN = new RegExp(`${HIDDEN.source}+`, 'gu')

/** Tabs and line breaks are layout, and U+FE0F only asks for an emoji's colours. */
const isLayout = (character: string) => character === '\n' || character === '\t' || character === '\uFE0F'

/** True when the text contains characters that a reader can't see. */
export function hasHidden(text: string): boolean {
  for (const [run] of text.matchAll(HIDDEN_RUN)) if (Array.from(run).some((character) => !isLayout(character))) return true
  return false
}

/** For a list or a terminal: hidden characters are left out, so that they can't move the cursor or turn the text around. */
export function cleanText(text: string): string {
  return text.replaceAll(HIDDEN_RUN, (run) => Array.from(run).filter(isLayout).join(''))
}

function spellOut(run: string): string {
  let text = ''
  let tags = ''
  const flush = () => {
    if (tags !== '') text += `⟨tags: ${tags}⟩`
    tags = ''
  }
  for (const character of run) {
    const code = character.codePointAt(0) ?? 0
    // Tag characters mirror ASCII: a model may read the sentence that they spell.
    if (code > 0xe0020 && code < 0xe007f) tags += String.fromCodePoint(code - 0xe0000)
    else {
      flush()
      text += isLayout(character) ? character : `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`
    }
  }
  flush()
  return text
}

/** For a reviewer: hidden characters are written out, and text in tag characters is read out. */
export function spellHidden(text: string): string {
  return text.replaceAll(HIDDEN_RUN, spellOut)
}

// Letters of other scripts, and digits, that look like a Latin letter in common fonts (after UTS 39, section 4).
const LOOKALIKES = new Map(
  [
    'aаα', 'bЬв', 'cсϲ', 'dԁ', 'eеєε', 'gɡց', 'hһհη', 'iіι', 'jјϳ', 'kкκ', 'lI1|ӏ', 'mм', 'nпո', 'o0оοօσ', 'pрρ', 'qԛ', 'rгᴦ', 'sѕ', 'tтτ', 'uυս', 'vνѵ', 'wѡԝω', 'xхχ', 'yуγү', 'zᴢ',
    'AΑА', 'BΒВ', 'CСϹ', 'EΕЕ', 'HΗН', 'lΙІӀ', 'JЈ', 'KΚК', 'MΜМ', 'NΝ', 'oOΟО', 'PΡР', 'SЅ', 'TΤТ', 'XΧХ', 'YΥҮ', 'ZΖ', '-‐‑‒–−', '_ˍ',
  ].flatMap(([latin = '', ...others]) => others.map((other) => [other, latin] as const)),
) // prettier-ignore

/** Equal for names that a person or a model may take for one another: compatibility forms, hidden characters, look-alikes. */
export function foldName(name: string): string {
  let folded = ''
  for (const character of cleanText(name.normalize('NFKC'))) folded += LOOKALIKES.get(character) ?? character
  return folded.toLowerCase()
}
