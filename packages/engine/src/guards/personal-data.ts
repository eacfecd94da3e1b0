/** Detectors of personal data. Each pattern is bounded, so that no text makes one slow; check digits and tables decide. */
import { isIPv4, isIPv6 } from 'node:net'
import { isLuhn, isMod97 } from './checksums.ts'
import { matchesOf, spansOf } from './matches.ts'
import type { Detector, Span } from './types.ts'

/** Between the groups of a number: spaces, also narrow and unbreakable ones, and dashes, also typographic ones. */
const GAP = String.raw`[ \u00a0\u2007\u2009\u202f\u2010-\u2015\u2212-]`

const digitsOf = (text: string) => text.replaceAll(/\D/g, '')

// Ranges that were never given out: area 000, 666 and from 900, group 00, serial 0000.
const SSN = new RegExp(String.raw`(?<!\d|\d-)(?!000|666|9)\d{3}(${GAP})(?!00)\d{2}\1(?!0000)\d{4}(?!\d|-\d)`, 'gu')
const BARE_SSN = /(?<!\d)(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}(?!\d)/gu
/** Nine digits alone may be anything: they count where the words before them say what they are. */
const ABOUT_SSN = /ssn|social.{0,3}sec/iu
/** How far before a number its name may stand. */
const NEAR = 40

export const ssn: Detector = (text, name) => {
  const isNamed = ABOUT_SSN.test(name)
  const isAbout = ({ index }: RegExpExecArray) => isNamed || ABOUT_SSN.test(text.slice(Math.max(0, index - NEAR), index))
  return [...spansOf(text, SSN), ...spansOf(text, BARE_SSN, isAbout)]
}

const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** The first four digits of issuers' numbers, from and to, with the lengths that each gives out. */
const ISSUERS: readonly [number, number, readonly number[]][] = [
  [4000, 4999, [13, 16, 19]],
  [3400, 3499, [15]],
  [3700, 3799, [15]],
  [3000, 3059, [14, 16]],
  [3600, 3699, [14, 16]],
  [3800, 3999, [14, 16]],
  [3500, 3599, [16]],
  [1800, 1800, [15]],
  [2131, 2131, [15]],
  [2221, 2720, [16]],
  [5100, 5599, [16]],
  [6200, 6299, upTo(16, 19)],
  [5000, 5099, upTo(12, 19)],
  [5600, 6999, upTo(12, 19)],
]
/** The lengths of numbers that begin with these four digits, the longest first. */
const LENGTHS = upTo(0, 9999).map((first) => {
  const lengths = ISSUERS.flatMap(([from, to, some]) => (from <= first && first <= to ? some : []))
  return [...new Set(lengths)].toSorted((a, b) => b - a)
})
/** Digits with at most one gap before each; enough of them for a card number. */
const RUN = new RegExp(String.raw`\d(?:${GAP}?\d){11,}`, 'gu')
const isDigit = (code: number) => code >= 48 && code <= 57

/**
 * Card numbers begin and end where a group of digits does. Of those that begin together the longest counts, since what
 * follows a number may be more digits: `4111 1111 1111 1111 12/27`.
 */
function cardsIn(run: string, offset: number): Span[] {
  const digits = run.replaceAll(/\D/g, '')
  const places = new Uint32Array(digits.length)
  for (let at = 0, n = 0; at < run.length; at++) if (isDigit(run.charCodeAt(at))) places[n++] = at
  // What is beside a run is a gap too many, or no digit at all.
  const isApart = (n: number) => n === 0 || n === digits.length || (places[n] ?? 0) - (places[n - 1] ?? 0) > 1
  const found: Span[] = []
  for (let first = 0; first <= digits.length - 12; first++) {
    if (!isApart(first)) continue
    const lengths = LENGTHS[Number(digits.slice(first, first + 4))] ?? []
    const length = lengths.find((one) => first + one <= digits.length && isApart(first + one) && isLuhn(digits.slice(first, first + one)))
    if (length !== undefined) found.push({ start: offset + (places[first] ?? 0), end: offset + (places[first + length - 1] ?? 0) + 1 })
  }
  return found
}

export const creditCard: Detector = (text) => matchesOf(text, RUN).flatMap(({ 0: run, index }) => cardsIn(run, index))

/** The IBAN registry's length for each country. */
const IBAN_LENGTHS = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 ' +
    'FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 ' +
    'LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 ' +
    'SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)
const IBAN = new RegExp(String.raw`(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:${GAP}?[A-Za-z0-9]){11,29}`, 'gu')

/** A match may run into the words after it: the country says where the number ends. */
export const iban: Detector = (text) =>
  matchesOf(text, IBAN).flatMap(({ 0: run, index: start }) => {
    const length = IBAN_LENGTHS.get(run.slice(0, 2).toUpperCase()) ?? Infinity
    let [end, seen] = [0, 0]
    while (end < run.length && seen < length) if (/[A-Za-z0-9]/.test(run[end++] ?? '')) seen++
    const isWhole = seen === length && !/[A-Za-z0-9]/.test(text[start + end] ?? '')
    return isWhole &&
      isMod97(
        run
          .slice(0, end)
          .replaceAll(/[^A-Za-z0-9]/g, '')
          .toUpperCase(),
      )
      ? { start, end: start + end }
      : []
  })

/** From each @, what stands before it is looked at once: no start is tried that leads to the same @. */
const EMAIL = /@(?<=([\p{L}\p{N}._%+'-]{1,64})@)(?:[\p{L}\p{N}][\p{L}\p{N}-]{0,62}\.){1,8}\p{L}{2,63}/gu

export const email: Detector = (text) =>
  matchesOf(text, EMAIL).map(({ 0: rest, 1: local = '', index }) => ({ start: index - local.length, end: index + rest.length }))

const STEP = String.raw`[ .\u00a0\u2007\u2009\u202f\u2010-\u2015/-]`
const PHONES = [
  // International: + or 00, a country that begins with 1 to 9, up to 15 digits (ITU-T E.164).
  String.raw`(?<![\w+])(?:\+|00${STEP}?)[1-9](?:${STEP}?\(?\d\)?){6,14}(?!\d)`,
  // North America: 212-555-0123, (212) 555-0123.
  String.raw`(?<![\d.-])(?:1${STEP})?(?:\(\d{3}\)${STEP}?|\d{3}${STEP})\d{3}${STEP}\d{4}(?!\d|-\d)`,
  // National with a leading 0, in groups: 030 1234 5678, 03.93.92.16.85, (07) 5331 0577.
  String.raw`(?<![\d.-])\(?0\d{1,4}\)?(?:${STEP}\d{2,4}){2,4}(?!\d|-\d)`,
  // An area in brackets: (96) 627-277.
  String.raw`(?<!\d)\(\d{2,4}\)${STEP}?\d{3,4}${STEP}\d{3,4}(?!\d)`,
].map((pattern) => new RegExp(`${pattern}(?:${STEP}?(?:x|ext\\.?)${STEP}?\\d{1,6})?`, 'giu'))
const BARE_PHONE = new RegExp(String.raw`(?<!\d)\d(?:${STEP}?\d){6,14}(?!\d)`, 'gu')
/** Digits alone count where the words before them say that they are a telephone number. */
const ABOUT_PHONE = /\b(?:tel|phone|mobile|cell|fax|call(?: \w{1,10}){0,3})\b.{0,20}$|phone|mobile/iu

export const phone: Detector = (text, name) => {
  const isNamed = ABOUT_PHONE.test(name)
  const isAbout = ({ index }: RegExpExecArray) => isNamed || ABOUT_PHONE.test(text.slice(Math.max(0, index - NEAR), index))
  return [
    ...PHONES.flatMap((pattern) => spansOf(text, pattern, ([match]) => digitsOf(match).length >= 8)),
    ...spansOf(text, BARE_PHONE, isAbout),
  ]
}

const ADDRESS = /(?<![\w.:])[0-9A-Fa-f:.]{3,45}(?![0-9A-Fa-f:]|\.\d)/gu

/** With a port, or the full stop of a sentence, after it. */
export const ip: Detector = (text) =>
  matchesOf(text, ADDRESS).flatMap(({ 0: run, index: start }) => {
    if (!/[.:]/.test(run)) return []
    const found = [run, run.replace(/[.:]+$/, ''), run.replace(/:\d+$/, '')].find((one) => isIPv4(one) || (isIPv6(one) && /\d/.test(one)))
    return found === undefined ? [] : { start, end: start + found.length }
  })
