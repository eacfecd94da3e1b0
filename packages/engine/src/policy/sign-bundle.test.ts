/** Signed versions: a signature is good for exactly its texts, its version and its key. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import { versionOf } from './digest.ts'
import { signBundle, verifyBundle } from './sign-bundle.ts'

const [key, other] = [generateKeyPairSync('ed25519').privateKey, generateKeyPairSync('ed25519').privateKey]
const files = { 'a.cedar': 'permit (principal, action, resource);', 'charter.yaml': '' }
const version = versionOf(files)
const said = { version, author: 'per_a', reviewers: ['per_b'], at: 1 }
const envelope = signBundle(key, files, said)

type Envelope = { payloadType: string; payload: string; signatures: { keyid: string; sig: string }[] }
const altered = (change: (envelope: Envelope) => void) => {
  const copy = JSON.parse(envelope) as Envelope
  change(copy)
  return JSON.stringify(copy)
}

test('says who wrote and who reviewed what', () => {
  expect(verifyBundle(key, { version, files, envelope })).toMatchObject(said)
})

test.each([
  ['another key', { key: other }],
  ['another text', { files: { ...files, 'a.cedar': 'forbid (principal, action, resource);' } }],
  ['a text more', { files: { ...files, 'b.cedar': '' } }],
  ['a text less', { files: { 'a.cedar': files['a.cedar'] } }],
  ['another version', { version: versionOf({}) }],
  ['a changed statement', { envelope: altered((one) => (one.payload = Buffer.from('{}').toString('base64'))) }],
  ['another type', { envelope: altered((one) => (one.payloadType = 'application/json')) }],
  ['no signature', { envelope: altered((one) => (one.signatures = [])) }],
  ['a signature more', { envelope: altered((one) => one.signatures.push({ keyid: '', sig: '' })) }],
  ['nonsense', { envelope: 'null' }],
])('is worth nothing with %s', (_, change) => {
  const { key: by, ...stored } = { key, version, files, envelope, ...change }
  expect(verifyBundle(by, stored as Parameters<typeof verifyBundle>[1])).toBeUndefined()
})

test('is no signature of the same bytes made for another purpose', () => {
  const { payload } = JSON.parse(envelope) as Envelope
  const sig = sign(null, Buffer.from(payload, 'base64'), key).toString('base64')
  expect(verifyBundle(key, { version, files, envelope: altered((one) => (one.signatures = [{ keyid: '', sig }])) })).toBeUndefined()
})
