/** Addresses and ranges: what text is one, and what lies in what. */
import { expect, test } from 'vitest'
import { outcome } from './decide.fixture.ts'
import { parseIp } from './ip.ts'
import type { Ip } from './ip.ts'

test.each([
  ['10.0.0.1', '10.0.0.1/32'],
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['::', '::/128'],
  ['::1', '::1/128'],
  ['1::', '1::/128'],
  ['FF00::/8', 'ff00::/8'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3/128'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8/128'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0/128'],
  ['::ffff:102:304', '::ffff:102:304/128'],
])('%s reads as %s, which reads as the same', (text, canonical) => {
  const ip = parseIp(text) as Ip
  expect(ip.toJson()).toEqual({ __extn: { fn: 'ip', arg: canonical } })
  expect(parseIp(canonical)).toEqual(ip)
})

// Each of these is an address to some other program.
test.each([
  ['leading zeros, octal elsewhere', '010.0.0.1'],
  ['a number', '2130706433'],
  ['three parts', '127.0.1'],
  ['hexadecimal parts', '0x7f.0.0.1'],
  ['IPv4 in IPv6', '::ffff:127.0.0.1'],
  ['a zone', 'fe80::1%eth0'],
  ['brackets', '[::1]'],
  ['two gaps', '1::2::3'],
  ['nine groups', '1:2:3:4:5:6:7:8:9'],
  ['a gap for nothing', '1:2:3:4:5:6:7::8'],
  ['a prefix with a zero before it', '10.0.0.0/08'],
  ['a prefix with a sign', '10.0.0.0/+8'],
  ['too long a prefix', '10.0.0.0/33'],
  ['a space', ' 10.0.0.1'],
  ['other digits', '١.1.1.1'],
  ['nothing', ''],
])('%s is no address', (_what, text) => {
  expect(parseIp(text)).toContain('invalid IP address')
})

test('a range holds addresses and smaller ranges of its own version', () => {
  expect(outcome('ip("10.1.2.3").isInRange(ip("10.0.0.0/8"))')).toBe(true)
  expect(outcome('ip("10.0.0.0/7").isInRange(ip("10.0.0.0/8"))')).toBe(false)
  expect(outcome('ip("10.1.2.3/24").isInRange(ip("10.1.2.0/24"))')).toBe(true)
  expect(outcome('ip("::1").isInRange(ip("0.0.0.0/0"))')).toBe(false)
})

test('a range with host bits is not equal to the range without', () => {
  expect(outcome('ip("10.1.2.3/24") == ip("10.1.2.0/24")')).toBe(false)
  expect(outcome('ip("10.1.2.3") == ip("10.1.2.3/32")')).toBe(true)
})

test('loopback and multicast are whole ranges or nothing', () => {
  expect(outcome('ip("127.9.9.9").isLoopback() && ip("127.0.0.0/8").isLoopback() && ip("::1").isLoopback()')).toBe(true)
  expect(outcome('ip("127.0.0.0/7").isLoopback()')).toBe(false)
  expect(outcome('ip("::ffff:7f00:1").isLoopback()')).toBe(false)
  expect(outcome('ip("224.0.0.0/4").isMulticast() && ip("ff02::1").isMulticast()')).toBe(true)
  expect(outcome('ip("224.0.0.0/3").isMulticast()')).toBe(false)
  expect(outcome('ip("::1").isIpv6() && !ip("::1").isIpv4()')).toBe(true)
})
