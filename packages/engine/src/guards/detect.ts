/** Finds personal data and secrets in a text. */
import type { RedactionCategory } from '@ephor/contract'
import { creditCard, email, iban, ip, phone, ssn } from './personal-data.ts'
import { secret } from './secrets.ts'
import type { Detector, Found } from './types.ts'

/** With what a text must have for the patterns to be worth trying: most texts are short words. */
const DETECTORS: Record<RedactionCategory, { find: Detector; least: number; needs: RegExp }> = {
  ssn: { find: ssn, least: 9, needs: /\d/ },
  'credit-card': { find: creditCard, least: 12, needs: /\d/ },
  iban: { find: iban, least: 15, needs: /\d/ },
  email: { find: email, least: 6, needs: /@/ },
  phone: { find: phone, least: 7, needs: /\d/ },
  ip: { find: ip, least: 3, needs: /\d/ },
  secret: { find: secret, least: 16, needs: /[-_.A-Z]/ },
}

/** A name is tried against each value under it: one that goes on and on must not make that slow. */
const NAME_CHARS = 100

/**
 * What is found of these categories, in order and without overlaps: of two that overlap, one stretch is made under the
 * name of the first.
 * @param name the key that the text stands under; some numbers are known by their name only
 */
export function detect(text: string, categories: readonly RedactionCategory[], name = ''): Found[] {
  const shortName = name.slice(0, NAME_CHARS)
  const all = categories
    .flatMap((category) => {
      const { find, least, needs } = DETECTORS[category]
      return text.length < least || !needs.test(text) ? [] : find(text, shortName).map((span): Found => ({ ...span, category }))
    })
    .toSorted((a, b) => a.start - b.start || b.end - a.end)
  const found: Found[] = []
  for (const one of all) {
    const last = found.at(-1)
    if (last && one.start < last.end) last.end = Math.max(last.end, one.end)
    else found.push(one)
  }
  return found
}
