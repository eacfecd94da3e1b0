/** Evidence bundles and single entries: what verifies without the log, and what must not. */
import { expect, test } from 'vitest'
import { fromUtf8, toBase64, toHex, utf8 } from './bytes.ts'
import { signDsse } from './dsse.ts'
import { evidencePayload, EVIDENCE_PAYLOAD_TYPE, signEvidence } from './evidence.ts'
import type { EvidencePredicate } from './evidence.ts'
import { bodies, body, evidenceOf, makeEvidence, makeLog, revocation, rotation, stampOf, testKey } from './log.fixture.ts'
import { leafHash } from './merkle.ts'
import { formatVerifierKey } from './note.ts'
import { fromBase64 } from './bytes.ts'
import { formatTlogProof } from './tlog-proof.ts'
import { verifyEntry, verifyReceiptProof } from './verify-entry.ts'
import { verifyEvidence } from './verify-evidence.ts'

const NAME = 'example.com/log'
const [old, log, stranger] = [testKey(NAME, 1), testKey(NAME, 2), testKey(NAME, 3)]
const vkey = formatVerifierKey(log.key)
const entries = [
  ...bodies(10),
  rotation(old, log),
  revocation(old, 12),
  ...bodies(300).slice(10),
  body('ledger.erased', { subject: 'agt_1' }),
]
const files = makeLog(entries, log)
const predicate = await makeEvidence(files, [old, log], { first: 5, end: 25, keyEntries: [10, 11] })

async function verify(change: Partial<EvidencePredicate> = {}, held = vkey, by = log) {
  return verifyEvidence(JSON.stringify(await signEvidence({ ...predicate, ...change }, by.sign)), { vkey: held })
}

test.each([old, log])('all entries of a range verify for whoever holds a key of the log, an older one too', async ({ key }) => {
  await expect(verify({}, formatVerifierKey(key))).resolves.toMatchObject({
    ok: true,
    origin: NAME,
    size: 303,
    complete: true,
    entries: 20,
    range: { first: 5, end: 25 },
    types: { decision: 9, outcome: 9, 'ledger.key.rotated': 1, 'ledger.key.revoked': 1 },
    keys: [{ vkey: formatVerifierKey(old.key), replacedAt: 10, revokedAbove: 12 }, { vkey }],
  })
})

test('a selection verifies as one, with its filter and without a word on what was left out', async () => {
  const some = predicate.entries.filter(({ seq }) => seq % 3 === 0)
  await expect(verify({ entries: some, filter: { agent: 'agt_1' } })).resolves.toMatchObject({
    ok: true,
    complete: false,
    filter: { agent: 'agt_1' },
    entries: some.length,
  })
})

test('a time stamp over an earlier checkpoint of the same log is listed, and one over anything else is refused', async () => {
  const stamp = await stampOf(files, 40, old)
  await expect(verify({ timestamps: [stamp] })).resolves.toMatchObject({ ok: true, timestamps: [40] })
  await expect(verify()).resolves.toMatchObject({ ok: true, timestamps: [] })
  const other = makeLog(bodies(40), log)
  const last = await stampOf(files, 303, log)
  for (const wrong of [
    { ...stamp, checkpoint: fromUtf8(other.get('checkpoint') as Uint8Array) },
    { ...stamp, checkpoint: stamp.checkpoint.replace(NAME, 'example.com/other') },
    { ...stamp, checkpoint: 'x' },
    { ...stamp, proof: [] },
    { ...stamp, proof: ['?'] },
    { ...stamp, token: '?' },
    { ...last, checkpoint: last.checkpoint.replace('\n303\n', '\n304\n') },
    await stampOf(files, 0, log),
  ])
    await expect(verify({ timestamps: [wrong] })).resolves.toMatchObject({ ok: false, fault: 'PROOF_INVALID', where: 'time stamp 0' })
  await expect(verify({ timestamps: [{ checkpoint: '' }] as never })).resolves.toMatchObject({ ok: false, fault: 'EVIDENCE_INVALID' })
})

test('erasures in a bundle are listed', async () => {
  const last = await makeEvidence(files, [old, log], { first: 302, end: 303, keyEntries: [10, 11] })
  await expect(verify(last)).resolves.toMatchObject({ ok: true, erasures: [{ seq: 302, body: { subject: 'agt_1' } }] })
})

const swapped = predicate.entries.map((entry, i) => (i === 3 ? { ...entry, body: body('decision', { id: 'dec_x' }) } : entry))

test.each<[string, Partial<EvidencePredicate>, string]>([
  ['an entry was left out', { entries: predicate.entries.filter(({ seq }) => seq !== 7) }, 'ENTRIES_MISSING'],
  ['the last entries were left out', { entries: predicate.entries.slice(0, 5) }, 'ENTRIES_MISSING'],
  ['the entries are out of order', { entries: predicate.entries.toReversed(), filter: {} }, 'EVIDENCE_INVALID'],
  ['an entry stands there twice', { entries: [...predicate.entries.slice(0, 1), ...predicate.entries], filter: {} }, 'EVIDENCE_INVALID'],
  ['an entry is out of range', { range: { first: 6, end: 25 }, filter: {} }, 'EVIDENCE_INVALID'],
  ['the range is larger than the log', { range: { first: 5, end: 304 } }, 'EVIDENCE_INVALID'],
  ['the range ends before it starts', { range: { first: 5, end: 4 }, entries: [] }, 'EVIDENCE_INVALID'],
  ['an entry was changed', { entries: swapped }, 'PROOF_INVALID'],
  ['a proof was cut', { entries: predicate.entries.map((e) => ({ ...e, proof: e.proof.slice(1) })) }, 'PROOF_INVALID'],
  ['a proof is no base64', { entries: predicate.entries.map((e) => ({ ...e, proof: ['?'] })) }, 'PROOF_INVALID'],
  ['an entry that changes keys was left out', { keyEntries: [] }, 'SIGNATURE_INVALID'],
  ['an entry that changes keys was made up', { keyEntries: [{ seq: 3, body: rotation(old, log), proof: [] }] }, 'PROOF_INVALID'],
  ['another entry stands among those that change keys', { keyEntries: predicate.entries.slice(0, 1) }, 'EVIDENCE_INVALID'],
  ['entries that change keys are out of order', { keyEntries: predicate.keyEntries.toReversed() }, 'EVIDENCE_INVALID'],
  ['an entry that changes keys is no JSON', { keyEntries: [{ seq: 3, body: 'no', proof: [] }] }, 'EVIDENCE_INVALID'],
  ['it is of another log', { origin: 'example.com/other' }, 'SIGNATURE_INVALID'],
  [
    'its checkpoint is another’s',
    { checkpoint: fromUtf8(makeLog(entries, stranger).get('checkpoint') as Uint8Array) },
    'SIGNATURE_INVALID',
  ],
  [
    'its checkpoint is of the replaced key',
    { checkpoint: fromUtf8(makeLog(entries, old).get('checkpoint') as Uint8Array) },
    'KEY_REPLACED',
  ],
  ['its checkpoint is none', { checkpoint: 'no' }, 'CHECKPOINT_INVALID'],
])('when %s, the bundle does not verify', async (_, change, fault) => {
  await expect(verify(change, formatVerifierKey(old.key))).resolves.toMatchObject({ ok: false, fault })
})

test('a bundle that another key signed, or the key that was replaced, does not verify', async () => {
  await expect(verify({}, vkey, stranger)).resolves.toMatchObject({ fault: 'SIGNATURE_INVALID', where: 'envelope' })
  await expect(verify({}, formatVerifierKey(old.key), old)).resolves.toMatchObject({ fault: 'SIGNATURE_INVALID', where: 'envelope' })
  await expect(verify({}, formatVerifierKey(stranger.key))).resolves.toMatchObject({ fault: 'SIGNATURE_INVALID' })
})

const statement = JSON.parse(fromUtf8(evidencePayload(predicate))) as Record<string, unknown>

test.each<[string, string]>([
  ['not JSON', 'no'],
  ['not canonical', JSON.stringify(statement, null, 1)],
  ['another type of statement', JSON.stringify({ ...statement, _type: 'https://in-toto.io/Statement/v0.1' })],
  ['of another predicate', JSON.stringify({ ...statement, predicateType: 'https://slsa.dev/provenance/v1' })],
  ['without a predicate', JSON.stringify({ ...statement, predicate: {} })],
  ['about another subject', JSON.stringify({ ...statement, subject: [{ digest: { sha256: '00' }, name: NAME }] })],
])('a signed statement that is %s is no evidence', async (_, text) => {
  const envelope = await signDsse({ payloadType: EVIDENCE_PAYLOAD_TYPE, payload: utf8(text) }, { keyid: vkey, sign: log.sign })
  await expect(verifyEvidence(JSON.stringify(envelope), { vkey })).resolves.toMatchObject({ fault: 'EVIDENCE_INVALID' })
})

test('the right statement in an envelope of another type, or in none, is no evidence', async () => {
  const payload = evidencePayload(predicate)
  const envelope = await signDsse({ payloadType: 'text/plain', payload }, { keyid: vkey, sign: log.sign })
  await expect(verifyEvidence(JSON.stringify(envelope), { vkey })).resolves.toMatchObject({ fault: 'SIGNATURE_INVALID' })
  await expect(verifyEvidence(fromUtf8(payload), { vkey })).resolves.toMatchObject({ fault: 'EVIDENCE_INVALID' })
})

const proven = await evidenceOf(files, 20)
const proof = formatTlogProof({ index: 20, hashes: proven.proof.map(fromBase64), checkpoint: predicate.checkpoint })
const leaf = leafHash(utf8(proven.body))
const receipt = { origin: NAME, seq: 20, leafHash: toHex(leaf) }

test('an entry, and the receipt for it, verify by a proof alone', async () => {
  await expect(verifyEntry(proof, leaf, { vkey })).resolves.toMatchObject({ ok: true, seq: 20, size: 303, leafHash: toHex(leaf) })
  await expect(verifyReceiptProof(receipt, proof, { vkey })).resolves.toMatchObject({ ok: true, seq: 20 })
})

test('another entry, place, key or log does not verify, and a malformed receipt is none', async () => {
  const other = leafHash(utf8(body('x')))
  await expect(verifyEntry(proof, other, { vkey })).resolves.toMatchObject({ fault: 'PROOF_INVALID', where: 'entry 20' })
  await expect(verifyEntry(proof.replace('@v1', '@v2'), leaf, { vkey })).resolves.toMatchObject({ fault: 'PROOF_INVALID', where: 'proof' })
  await expect(verifyEntry(proof, leaf, { vkey: formatVerifierKey(old.key) })).resolves.toMatchObject({ fault: 'SIGNATURE_INVALID' })
  await expect(verifyEntry(proof, leaf, { vkey: 'no' })).resolves.toMatchObject({ fault: 'KEY_INVALID' })
  const of = (change: object) => verifyReceiptProof({ ...receipt, ...change }, proof, { vkey })
  await expect(of({ seq: 21 })).resolves.toMatchObject({ fault: 'PROOF_INVALID' })
  await expect(of({ origin: 'example.com/other' })).resolves.toMatchObject({ fault: 'RECEIPT_INVALID' })
  await expect(of({ leafHash: 'AB' })).resolves.toMatchObject({ fault: 'RECEIPT_INVALID' })
  await expect(of({ seq: -1 })).resolves.toMatchObject({ fault: 'RECEIPT_INVALID' })
  await expect(of({ leafHash: toHex(other) })).resolves.toMatchObject({ fault: 'PROOF_INVALID' })
  await expect(of({ leafHash: toBase64(leaf) })).resolves.toMatchObject({ fault: 'RECEIPT_INVALID' })
})
