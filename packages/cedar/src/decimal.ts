/** Cedar's decimal: four fractional digits, from -922337203685477.5808 to 922337203685477.5807. */
import type { Long } from './long.ts'
import { toLong } from './long.ts'
import type { ValueJson } from './json.ts'
import { ExtensionValue } from './values.ts'

export class Decimal extends ExtensionValue {
  readonly typeName = 'decimal'
  /** In units of a ten-thousandth. */
  readonly units: Long
  readonly key: string

  constructor(units: Long) {
    super()
    this.units = units
    this.key = `d${units}`
  }

  toJson(): ValueJson {
    const digits = String(this.units).replace('-', '').padStart(5, '0')
    return { __extn: { fn: 'decimal', arg: `${this.units < 0 ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}` } }
  }
}

/** @returns what is wrong with the text, where it is no decimal */
export function parseDecimal(text: string): Decimal | string {
  // Rust's \d is any Unicode digit, but such digits then fail to convert: refused either way.
  const match = /^(-?)([0-9]+)\.([0-9]+)$/.exec(text)
  if (!match) return `\`${text}\` is not a well-formed decimal value`
  const [, sign = '', whole = '', fraction = ''] = match
  if (fraction.length > 4) return `too many digits after the decimal in \`${text}\``
  // The bound on the length keeps a long text from becoming a long multiplication; leading zeros are allowed.
  const digits = whole.replace(/^0+(?=.)/, '')
  const units = digits.length > 16 ? undefined : toLong(BigInt(`${sign}${digits}${fraction.padEnd(4, '0')}`))
  return units === undefined ? 'overflow when converting to decimal' : new Decimal(units)
}
