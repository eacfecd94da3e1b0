/** A log whose key was changed: who holds an older key follows the log to the newest, and nobody else gets there. */
import { expect, test } from 'vitest'
import { signCosignature } from './cosignature.ts'
import { bodies, body, makeLog, revocation, rotation, testKey } from './log.fixture.ts'
import { appendSignature, formatVerifierKey } from './note.ts'
import type { TestKey } from './log.fixture.ts'
import { formatCosignerKey, makeCosignerKey } from './cosignature.ts'
import { fromUtf8, utf8 } from './bytes.ts'
import { verifyLog } from './verify-log.ts'
import type { VerifyOptions } from './verify-log.ts'

const NAME = 'example.com/log'
const [first, second, third] = [testKey(NAME, 1), testKey(NAME, 2), testKey(NAME, 3)]
const thief = testKey(NAME, 9)
const vkeyOf = ({ key }: TestKey) => formatVerifierKey(key)

/** 4 entries, the first rotation, 4 entries, the second rotation, 4 entries. */
const entries = [...bodies(4), rotation(first, second), ...bodies(8).slice(4), rotation(second, third), ...bodies(12).slice(8)]

function verify(files: Map<string, Uint8Array>, held: TestKey, options: Partial<VerifyOptions> = {}) {
  return verifyLog({ read: (path) => Promise.resolve(files.get(path)) }, { vkey: vkeyOf(held), ...options })
}

test.each([first, second, third])('whoever holds any of the keys verifies the log, and learns the others', async (held) => {
  await expect(verify(makeLog(entries, third), held)).resolves.toMatchObject({
    ok: true,
    size: 14,
    keys: [{ vkey: vkeyOf(first), replacedAt: 4 }, { vkey: vkeyOf(second), replacedAt: 9 }, { vkey: vkeyOf(third) }],
  })
})

test('a key that the log never led to is no key of it, whoever signed', async () => {
  await expect(verify(makeLog(entries, third), thief)).resolves.toMatchObject({ ok: false, fault: 'SIGNATURE_INVALID' })
  await expect(verify(makeLog(entries, thief), first)).resolves.toMatchObject({ ok: false, fault: 'SIGNATURE_INVALID' })
  await expect(verify(makeLog(bodies(4), thief), first)).resolves.toMatchObject({ ok: false, fault: 'SIGNATURE_INVALID' })
})

test.each([first, second])('a key that the log replaced signs nothing that covers its replacement', async (old) => {
  for (const held of [first, old])
    await expect(verify(makeLog(entries, old), held)).resolves.toMatchObject({ ok: false, fault: 'KEY_REPLACED', where: 'checkpoint' })
})

test('who holds only the newest key does not take the word of an older one', async () => {
  await expect(verify(makeLog(entries, first), third)).resolves.toMatchObject({ ok: false, fault: 'SIGNATURE_INVALID' })
})

test.each<[string, string]>([
  ['signed by the key that takes over', rotation(first, second, { signature: 'AAAA' })],
  ['without a signature', rotation(first, second, { signature: 1 })],
  ['to another key than was signed', rotation(first, second, { to: vkeyOf(thief) })],
  ['from a key that does not speak for the log', rotation(thief, second)],
  ['to the key of another log', rotation(first, testKey('example.com/other', 2))],
  ['to the key that it comes from', rotation(first, first)],
  ['of keys that can’t be read', rotation(first, second, { to: 'nonsense' })],
])('a change of keys %s is refused', async (_, entry) => {
  const files = makeLog([rotation(testKey(NAME, 4), first), ...bodies(3), entry], second)
  await expect(verify(files, testKey(NAME, 4))).resolves.toMatchObject({ ok: false, fault: 'KEY_CHAIN_INVALID', where: 'entry 4' })
})

test('a replaced key can’t be brought back', async () => {
  await expect(verify(makeLog([...entries, rotation(third, first)], first), first)).resolves.toMatchObject({ fault: 'KEY_CHAIN_INVALID' })
})

test('a revoked key is refused above its size, and the log goes on with the next', async () => {
  const files = makeLog([...entries, revocation(first, 3), revocation(first, 10)], third)
  await expect(verify(files, first)).resolves.toMatchObject({ ok: true, keys: [{ revokedAbove: 3, reason: 'compromised' }, {}, {}] })
  const kept = (size: number) => ({ earlier: makeLog(entries.slice(0, size), first).get('checkpoint') as Uint8Array })
  await expect(verify(files, first, kept(3))).resolves.toMatchObject({ ok: true, earlierSize: 3 })
  await expect(verify(files, first, kept(4))).resolves.toMatchObject({ fault: 'KEY_REVOKED', where: 'earlier checkpoint' })
  await expect(verify(makeLog([...entries, revocation(third, 14)], third), first)).resolves.toMatchObject({ fault: 'KEY_REVOKED' })
  await expect(verify(makeLog([...entries, revocation(third, 15)], third), first)).resolves.toMatchObject({ ok: true })
})

test.each([revocation(second, -1), revocation(second, 0.5), revocation(second, 1, { key: 7 })])(
  'a malformed revocation is refused',
  async (entry) => {
    await expect(verify(makeLog([...entries, entry], third), first)).resolves.toMatchObject({
      fault: 'KEY_CHAIN_INVALID',
      where: 'entry 14',
    })
  },
)

test('a checkpoint kept from before a change of keys is still what the log is held against', async () => {
  const files = makeLog(entries, third)
  const at = (size: number, by: TestKey, all = entries) => ({ earlier: makeLog(all.slice(0, size), by).get('checkpoint') as Uint8Array })
  await expect(verify(files, third, at(4, first))).resolves.toMatchObject({ ok: true, earlierSize: 4 })
  await expect(verify(files, first, at(9, second))).resolves.toMatchObject({ ok: true, earlierSize: 9 })
  await expect(verify(files, first, at(5, first))).resolves.toMatchObject({ fault: 'KEY_REPLACED', where: 'earlier checkpoint' })
  await expect(verify(files, first, at(4, thief))).resolves.toMatchObject({ fault: 'REPLACED' })
  await expect(verify(files, first, at(4, first, [body('x'), ...entries]))).resolves.toMatchObject({ fault: 'FORKED' })
  const longer = [...entries, body('x')]
  await expect(verify(files, first, at(15, third, longer))).resolves.toMatchObject({ fault: 'ROLLED_BACK' })
})

async function cosigned(by: readonly TestKey[]): Promise<Map<string, Uint8Array>> {
  const files = makeLog(bodies(4), first)
  let note = fromUtf8(files.get('checkpoint') as Uint8Array)
  for (const { key, sign } of by) note = appendSignature(note, await signCosignature(note, { ...key, sign, time: 1_700_000_000 }))
  return files.set('checkpoint', utf8(note))
}

const witnesses = [testKey('w.example/1', 11), testKey('w.example/2', 12), testKey('w.example/3', 13)]
const trusted = witnesses.map(({ key }) => formatCosignerKey(makeCosignerKey(key.name, key.publicKey)))

test('as many of the trusted witnesses as are required must have cosigned', async () => {
  const files = await cosigned(witnesses.slice(0, 2))
  await expect(verify(files, first, { witnesses: trusted, require: 2 })).resolves.toMatchObject({
    ok: true,
    required: 2,
    cosigned: [{ name: 'w.example/1', time: 1_700_000_000 }, { name: 'w.example/2' }],
    notChecked: [],
  })
  await expect(verify(files, first, { witnesses: trusted })).resolves.toMatchObject({
    ok: false,
    fault: 'COSIGNATURES_MISSING',
    detail: '2 of the 3 required witnesses cosigned the checkpoint; w.example/3 did not.',
  })
  await expect(verify(files, first)).resolves.toMatchObject({ ok: true, cosigned: [], notChecked: [{ kind: 'cosignature' }, {}] })
})

test('a cosignature of another checkpoint is not one, and says whose it claims to be', async () => {
  const files = await cosigned(witnesses.slice(0, 1))
  const other = makeLog(bodies(6), first)
  const line = `${fromUtf8(files.get('checkpoint') as Uint8Array)
    .split('\n')
    .at(-2)}\n`
  other.set('checkpoint', utf8(appendSignature(fromUtf8(other.get('checkpoint') as Uint8Array), line)))
  await expect(verify(other, first, { witnesses: trusted, require: 0 })).resolves.toMatchObject({
    fault: 'COSIGNATURE_INVALID',
    detail: expect.stringContaining('w.example/1') as string,
  })
})

test.each<[string, Partial<VerifyOptions>]>([
  ['is not a key', { witnesses: ['nonsense'] }],
  ['is the log’s', { witnesses: [vkeyOf(first)] }],
  [
    'stands there under two names',
    { witnesses: [trusted[0] as string, formatCosignerKey(makeCosignerKey('alias', witnesses[0]?.key.publicKey as Uint8Array))] },
  ],
  ['is one of fewer than are required', { witnesses: trusted, require: 4 }],
])('a witness key that %s is refused', async (_, options) => {
  await expect(verify(makeLog(bodies(2), first), first, options)).resolves.toMatchObject({ fault: 'KEY_INVALID', where: 'witness keys' })
})

test('erasures are listed with what they say', async () => {
  const files = makeLog([...bodies(2), body('ledger.erased', { subject: 'agt_1', reason: 'asked' })], first)
  await expect(verify(files, first)).resolves.toMatchObject({
    erasures: [{ seq: 2, at: '2026-01-02T03:04:05.678Z', body: { subject: 'agt_1' } }],
  })
})

test('progress is told as the log is read', async () => {
  const seen: [number, number][] = []
  await verify(makeLog(bodies(600), first), first, { progress: (done, size) => seen.push([done, size]) })
  expect(seen).toEqual([
    [256, 600],
    [512, 600],
    [600, 600],
  ])
})
