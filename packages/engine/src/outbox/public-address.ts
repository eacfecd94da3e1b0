/** Says which addresses are in the public internet: a webhook must not reach into the network that Ephor runs in. */
import { BlockList, isIP } from 'node:net'

/** IANA special-purpose address registries (RFC 6890): everything that is not globally reachable. */
const V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
]
/** Only 2000::/3 is handed out. What translates to IPv4 (6to4, Teredo, NAT64) could lead back inside. */
const V6 = ['::/3', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '4000::/2', '8000::/1']

function listOf(ranges: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [net = '', bits] = range.split('/')
    list.addSubnet(net, Number(bits), family)
  }
  return list
}
const v4 = listOf(V4, 'ipv4')
const v6 = listOf(V6, 'ipv6')
const loopback = listOf(['127.0.0.0/8'], 'ipv4')

const bare = (host: string) => host.replace(/^\[(.*)\]$/, '$1')

/** @param address an IP address; anything else is not public */
export function isPublic(address: string): boolean {
  const family = isIP(address)
  return family === 4 ? !v4.check(address, 'ipv4') : family === 6 && !v6.check(address, 'ipv6')
}

/** @param host of a URL */
export function isLoopback(host: string): boolean {
  const name = bare(host)
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && loopback.check(name, 'ipv4'))
}

/** @returns the address that a URL's host is, when it is one */
export function literalAddress(host: string): string | undefined {
  return isIP(bare(host)) === 0 ? undefined : bare(host)
}
