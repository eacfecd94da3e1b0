/** Opaque identifiers: a word that says what it names, then 26 characters that sort by time and cannot be guessed. */

/** What an id can name. One prefix a concept. */
export type IdPrefix = 'dec' | 'apr' | 'agt' | 'per' | 'crd' | 'ses' | 'lnk' | 'wrt' | 'key' | 'prp' | 'btr' | 'hld'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * Makes an id such as `dec_01k9v3…`: 48 bits of milliseconds, then 80 random bits, in Crockford base 32 (the ULID layout).
 * @param now milliseconds since 1970
 * @param random 10 random bytes
 */
export function makeId(prefix: IdPrefix, now: number, random: Uint8Array): string {
  let time = ''
  for (let rest = now, i = 0; i < 10; i++) {
    time = ALPHABET[rest % 32] + time
    rest = Math.floor(rest / 32)
  }
  let tail = ''
  let bits = 0
  let held = 0
  for (const byte of random.subarray(0, 10)) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      tail += ALPHABET[(held >>> bits) & 31]
    }
    held &= (1 << bits) - 1
  }
  return `${prefix}_${time}${tail}`
}

/** True when the text has the shape of an id with this prefix. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return text.length === 30 && text.startsWith(`${prefix}_`) && /^[0-9a-hjkmnp-tv-z]{26}$/.test(text.slice(4))
}
