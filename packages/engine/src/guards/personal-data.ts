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

export const ssn: Detector = (text, name) => [
  ...spansOf(text, SSN),
  ...spansOf(text, BARE_SSN, ({ index }) => ABOUT_SSN.test(name) || ABOUT_SSN.test(text.slice(Math.max(0, index - NEAR), index))),
]

const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** Leading digits of issuers, with the lengths that each gives out. */
const ISSUERS: readonly [RegExp, readonly number[]][] = [
  [/^4/, [13, 16, 19]],
  [/^3[47]/, [15]],
  [/^3(?:0[0-5]|[689])/, [14, 16]],
  [/^35/, [16]],
  [/^(?:2131|1800)/, [15]],
  [/^2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)/, [16]],
  [/^5[1-5]/, [16]],
  [/^62/, upTo(16, 19)],
  [/^(?:50|5[6-9]|6)/, upTo(12, 19)],
]
/** Where a group of digits begins that a card number can begin with. */
const GROUP = /(?<!\d)[1-6]/gu
const IS_GAP = new RegExp(GAP, 'u')
const isDigit = (code: number) => code >= 48 && code <= 57

/** Up to 19 digits from here, with at most one gap before each, and where each ends. */
function digitsFrom(text: string, start: number): { digits: string; ends: number[] } {
  const ends: number[] = []
  let digits = ''
  for (let at = start; digits.length < 19; at++) {
    const isAfterGap = !isDigit(text.charCodeAt(at)) && IS_GAP.test(text[at] ?? '')
    if (isAfterGap) at++
    if (!isDigit(text.charCodeAt(at))) break
    digits += text[at]
    ends.push(at + 1)
  }
  return { digits, ends }
}

/** The longest card number that begins here, since what follows it may be more digits: `4111 1111 1111 1111 12/27`. */
function cardAt(text: string, start: number): Span | undefined {
  const { digits, ends } = digitsFrom(text, start)
  if (digits.length < 12) return undefined
  const lengths = ISSUERS.flatMap(([prefix, some]) => (prefix.test(digits) ? some : []))
  for (const length of lengths.toSorted((a, b) => b - a)) {
    const end = ends[length - 1]
    if (end !== undefined && !isDigit(text.charCodeAt(end)) && isLuhn(digits.slice(0, length))) return { start, end }
  }
  return undefined
}

export const creditCard: Detector = (text) => matchesOf(text, GROUP).flatMap(({ index }) => cardAt(text, index) ?? [])

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

const EMAIL = /[\p{L}\p{N}._%+'-]{1,64}@(?:[\p{L}\p{N}][\p{L}\p{N}-]{0,62}\.){1,8}\p{L}{2,63}/gu

export const email: Detector = (text) => spansOf(text, EMAIL)

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

export const phone: Detector = (text, name) => [
  ...PHONES.flatMap((pattern) => spansOf(text, pattern, ([match]) => digitsOf(match).length >= 8)),
  ...spansOf(text, BARE_PHONE, ({ index }) => ABOUT_PHONE.test(name) || ABOUT_PHONE.test(text.slice(Math.max(0, index - NEAR), index))),
]

const ADDRESS = /(?<![\w.:])[0-9A-Fa-f:.]{3,45}(?![0-9A-Fa-f:]|\.\d)/gu

/** With a port, or the full stop of a sentence, after it. */
export const ip: Detector = (text) =>
  matchesOf(text, ADDRESS).flatMap(({ 0: run, index: start }) => {
    const found = [run, run.replace(/[.:]+$/, ''), run.replace(/:\d+$/, '')].find((one) => isIPv4(one) || (isIPv6(one) && /\d/.test(one)))
    return found === undefined ? [] : { start, end: start + found.length }
  })
