/** Keys and envelopes: private to their owner, and bound to what they seal. */
import { chmodSync, mkdtempSync, readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { expect, test } from 'vitest'
import { openEnvelope, sealEnvelope } from './envelope.ts'
import { loadKeys } from './load-keys.ts'

const folder = () => join(mkdtempSync(join(tmpdir(), 'ephor-keys-')), 'keys')

test('the first run makes private keys, the second finds the same', () => {
  const home = folder()
  const first = loadKeys(home)
  const second = loadKeys(home)
  expect(second.ledger.equals(first.ledger)).toBe(true)
  expect(Buffer.from(second.kek).equals(first.kek)).toBe(true)
  expect(first.token.equals(first.operator)).toBe(false)
  for (const file of readdirSync(home)) expect(statSync(join(home, file)).mode & 0o777).toBe(0o600)
})

test('a key that others can read is not used', () => {
  const home = folder()
  loadKeys(home)
  chmodSync(join(home, 'token.key'), 0o644)
  expect(() => loadKeys(home)).toThrow(expect.objectContaining({ code: 'KEY_UNSAFE', where: join(home, 'token.key') }))
})

test('an envelope opens only with its key, in its place, unchanged', () => {
  const key = new Uint8Array(32).fill(7)
  const sealed = sealEnvelope(key, 'default|secret|1', Buffer.from('value'))
  expect(Buffer.from(openEnvelope(key, 'default|secret|1', sealed)).toString()).toBe('value')
  expect(Buffer.from(sealed).includes('value')).toBe(false)
  const changed = Uint8Array.from(sealed)
  changed[14] = (changed[14] ?? 0) ^ 1
  for (const attempt of [
    () => openEnvelope(key, 'default|secret|2', sealed),
    () => openEnvelope(new Uint8Array(32).fill(8), 'default|secret|1', sealed),
    () => openEnvelope(key, 'default|secret|1', changed),
    () => openEnvelope(key, 'default|secret|1', sealed.subarray(0, 10)),
  ]) {
    expect(attempt).toThrow(Fault)
  }
})
