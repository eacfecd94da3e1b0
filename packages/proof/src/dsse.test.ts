/** Signed envelopes: the specification's encoding, and what is refused. */
import { expect, test } from 'vitest'
import { fromUtf8, toBase64, utf8 } from './bytes.ts'
import { dssePreAuth, parseDsse, signDsse, verifyDsse } from './dsse.ts'
import { testKey } from './log.fixture.ts'

const { key, sign } = testKey('signer', 1)
const { publicKey } = key
const other = testKey('signer', 2)
const payloadType = 'http://example.com/HelloWorld'
const payload = utf8('hello world')

test('what is signed is the specification’s encoding', () => {
  expect(fromUtf8(dssePreAuth(payloadType, payload))).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world')
  expect(fromUtf8(dssePreAuth('ü', new Uint8Array()))).toBe('DSSEv1 2 ü 0 ')
})

test('an envelope gives back the bytes that were signed', async () => {
  const envelope = await signDsse({ payloadType, payload }, { keyid: 'k', sign })
  await expect(verifyDsse(envelope, { payloadType, publicKey })).resolves.toEqual(payload)
  await expect(verifyDsse(JSON.stringify(envelope), { payloadType, publicKey })).resolves.toEqual(payload)
  const urlSafe = {
    ...envelope,
    signatures: envelope.signatures.map(({ sig }) => ({ sig: sig.replaceAll('+', '-').replaceAll('/', '_') })),
  }
  await expect(verifyDsse(urlSafe, { payloadType, publicKey })).resolves.toEqual(payload)
  const more = { ...envelope, signatures: [{ sig: toBase64(new Uint8Array(64)) }, ...envelope.signatures], later: 1 }
  await expect(verifyDsse(more, { payloadType, publicKey })).resolves.toEqual(payload)
})

test('another key, type or payload does not verify', async () => {
  const envelope = await signDsse({ payloadType, payload }, { keyid: 'k', sign })
  const invalid = expect.objectContaining({ code: 'PROOF_INVALID' }) as Error
  await expect(verifyDsse(envelope, { payloadType, publicKey: other.key.publicKey })).rejects.toThrow(invalid)
  await expect(verifyDsse(envelope, { payloadType: 'text/plain', publicKey })).rejects.toThrow(invalid)
  await expect(verifyDsse({ ...envelope, payloadType: 'text/plain' }, { payloadType: 'text/plain', publicKey })).rejects.toThrow(invalid)
  await expect(verifyDsse({ ...envelope, payload: toBase64(utf8('hello')) }, { payloadType, publicKey })).rejects.toThrow(invalid)
  await expect(verifyDsse({ ...envelope, signatures: [] }, { payloadType, publicKey })).rejects.toThrow(invalid)
})

test.each([
  'no',
  '[]',
  '{"payload":"","payloadType":"a"}',
  '{"payload":"","payloadType":"a","signatures":[{}]}',
  '{"payload":"","payloadType":"a","signatures":{}}',
  '{"payload":1,"payloadType":"a","signatures":[]}',
  JSON.stringify({ payload: '', payloadType: 'a', signatures: Array.from({ length: 101 }, () => ({ sig: '' })) }),
])('%.60s is no envelope', (text) => {
  expect(() => parseDsse(text)).toThrow(expect.objectContaining({ code: 'FORMAT_INVALID' }) as Error)
})

test.each([
  ['a payload that is not canonical base64', { payload: 'aGVsbG8gd29ybGR=' }],
  ['two alphabets in one text', { payload: '+-==' }],
  ['a signature twice', { signatures: [0, 0].map(() => ({ sig: toBase64(new Uint8Array(64)) })) }],
])('an envelope with %s is refused', async (_, change) => {
  const envelope = await signDsse({ payloadType, payload }, { keyid: 'k', sign })
  await expect(verifyDsse({ ...envelope, ...change }, { payloadType, publicKey })).rejects.toThrow(
    expect.objectContaining({ code: 'FORMAT_INVALID' }) as Error,
  )
})
