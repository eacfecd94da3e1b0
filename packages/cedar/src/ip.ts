/** Cedar's ipaddr: an IPv4 or IPv6 address or range, read by the strict rules of the official engine. */
import type { ValueJson } from './json.ts'
import { ExtensionValue } from './values.ts'

export class Ip extends ExtensionValue {
  readonly typeName = 'ipaddr'
  readonly version: 4 | 6
  readonly address: bigint
  readonly prefix: number
  readonly key: string
  /** First and last address of the range. */
  readonly first: bigint
  readonly last: bigint

  constructor(version: 4 | 6, address: bigint, prefix: number) {
    super()
    this.version = version
    this.address = address
    this.prefix = prefix
    this.key = `i${version}:${address}/${prefix}`
    const host = (1n << BigInt((version === 4 ? 32 : 128) - prefix)) - 1n
    this.first = address - (address & host)
    this.last = address | host
  }

  isLoopback(): boolean {
    return this.version === 4 ? this.address >> 24n === 127n && this.prefix >= 8 : this.address === 1n && this.prefix === 128
  }

  isMulticast(): boolean {
    return this.version === 4 ? this.address >> 28n === 14n && this.prefix >= 4 : this.address >> 120n === 255n && this.prefix >= 8
  }

  isInRange(range: Ip): boolean {
    return this.version === range.version && range.first <= this.first && this.last <= range.last
  }

  toJson(): ValueJson {
    return { __extn: { fn: 'ip', arg: `${this.version === 4 ? textOfV4(this.address) : textOfV6(this.address)}/${this.prefix}` } }
  }
}

/** @returns what is wrong with the text, where it is no address */
export function parseIp(text: string): Ip | string {
  const wrong = `invalid IP address: ${text.slice(0, 60)}`
  if (text.length > 43) return wrong
  const slash = text.indexOf('/')
  const host = slash < 0 ? text : text.slice(0, slash)
  const version = host.includes(':') ? 6 : 4
  const address = version === 6 ? parseV6(host) : parseV4(host)
  if (address === undefined) return wrong
  const bits = version === 4 ? 32 : 128
  if (slash < 0) return new Ip(version, address, bits)
  const prefix = /^(?:0|[1-9][0-9]{0,2})$/.exec(text.slice(slash + 1))
  return prefix && Number(prefix[0]) <= bits ? new Ip(version, address, Number(prefix[0])) : wrong
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)) return undefined
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
}

/** IPv4 inside IPv6 (`::ffff:1.2.3.4`) is refused, as the official engine does. */
function parseV6(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [before = [], after = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const groups = before.length + after.length
  if (halves.length === 1 ? groups !== 8 : groups > 7) return undefined
  if (![...before, ...after].every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  const all = [...before, ...Array.from({ length: 8 - groups }, () => '0'), ...after]
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n)
}

function textOfV4(address: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.')
}

/** The shortest text, by RFC 5952. */
function textOfV6(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((address >> BigInt(112 - 16 * i)) & 0xffffn).toString(16))
  const runs = [...groups.join(':').matchAll(/(?<![^:])0(?::0)+(?![^:])/g)].toSorted((a, b) => b[0].length - a[0].length)
  const run = runs[0]
  if (!run) return groups.join(':')
  const text = groups.join(':')
  return `${text.slice(0, run.index).replace(/:$/, '')}::${text.slice(run.index + run[0].length).replace(/^:/, '')}`
}
