/** Notes, keys, checkpoints, proofs, receipts and commitments: what verifies, and what must not. */
import { expect, test } from 'vitest'
import { fromBase64, fromUtf8, parseDecimal, toBase64, toHex, utf8 } from './bytes.ts'
import { parseCheckpoint, readCheckpoint, signCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { makeCommitment, verifyCommitment } from './commitment.ts'
import { testKey } from './log.fixture.ts'
import { leafHash, nodeHash } from './merkle.ts'
import { formatNote, formatVerifierKey, makeVerifierKey, parseNote, parseVerifierKey, signNote, verifyNote } from './note.ts'
import { verifyReceipt } from './receipt.ts'
import { formatTlogProof, parseTlogProof, verifyTlogProof } from './tlog-proof.ts'

const log = testKey('example.com/log', 1)
const other = testKey('example.com/log', 2)
const root = leafHash(utf8('a'))

test('the example note of the specification is read as its four parts', () => {
  const { text, signatures } = parseNote(
    'Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n',
  )
  expect(text.endsWith('ed è subito sera.\n')).toBe(true)
  expect(signatures).toHaveLength(1)
  expect(signatures[0]?.signature).toHaveLength(64)
})

test('a verifier key keeps its text, and one whose id is another key’s is refused', () => {
  const text = formatVerifierKey(log.key)
  expect(formatVerifierKey(parseVerifierKey(`${text}\n`))).toBe(text)
  const forged = text.replace(toHex(log.key.keyId), toHex(other.key.keyId))
  expect(() => parseVerifierKey(forged)).toThrow('does not belong')
  expect(() => parseVerifierKey(`a+00000000+${toBase64(Uint8Array.of(4, ...log.key.publicKey))}`)).toThrow('not an Ed25519')
  expect(() => makeVerifierKey('two words', log.key.publicKey)).toThrow("can't name")
  expect(() => makeVerifierKey('a', new Uint8Array(31))).toThrow('32 bytes')
})

test('a signed note verifies under its key, and signatures of strangers are ignored', async () => {
  const note = signNote('hello\n', log.key, log.sign)
  await expect(verifyNote(note, [log.key])).resolves.toBe('hello\n')
  const stranger = testKey('witness.example', 3)
  const two = formatNote('hello\n', [
    { name: 'witness.example', keyId: stranger.key.keyId, signature: new Uint8Array(64) },
    ...parseNote(note).signatures,
  ])
  await expect(verifyNote(two, [log.key])).resolves.toBe('hello\n')
  await expect(verifyNote(two, [log.key, stranger.key])).rejects.toThrow('the signature of witness.example is not valid')
})

test('another text, another key or a cut signature does not verify', async () => {
  const note = signNote('hello\n', log.key, log.sign)
  await expect(verifyNote(note.replace('hello', 'hallo'), [log.key])).rejects.toThrow('not valid')
  await expect(verifyNote(note, [other.key])).rejects.toThrow('not signed by')
  const [signature] = parseNote(note).signatures
  const cut = formatNote('hello\n', [
    { name: log.key.name, keyId: log.key.keyId, signature: signature?.signature.subarray(0, 63) as Uint8Array },
  ])
  await expect(verifyNote(cut, [log.key])).rejects.toThrow('not valid')
})

test.each([
  ['no signature', 'text\n'],
  ['a control character', 'te\u0000xt\n\n— a AAAAAAA=\n'],
  ['a carriage return', 'text\r\n\n— a AAAAAAA=\n'],
  ['base64 with stray bits', 'text\n\n— a AAAAAAB=\n'],
  ['a hyphen for the dash', 'text\n\n- a AAAAAAA=\n'],
  ['no last newline', 'text\n\n— a AAAAAAA='],
])('a note with %s is refused', (_, note) => {
  expect(() => parseNote(note)).toThrow(expect.objectContaining({ code: 'FORMAT_INVALID' }) as Error)
})

test('a checkpoint is read back as signed, and one of another origin under this key is refused', async () => {
  const note = signCheckpoint({ size: 7, root }, log.key, log.sign)
  await expect(verifyCheckpoint(note, log.key)).resolves.toEqual({
    origin: 'example.com/log',
    size: 7,
    root: Uint8Array.from(root),
    extensions: [],
  })
  const foreign = signNote(`example.com/other\n7\n${toBase64(root)}\n`, log.key, log.sign)
  await expect(verifyCheckpoint(foreign, log.key)).rejects.toThrow('not of example.com/log')
})

test.each(['a\n1\n', 'a\n01\nAAAA\n', 'a\n1\nAAAA\n', `a\n-1\n${toBase64(root)}\n`, `\n1\n${toBase64(root)}\n`, `a\n1\n${toBase64(root)}`])(
  'the text %j is no checkpoint',
  (text) => {
    expect(() => parseCheckpoint(text)).toThrow(expect.objectContaining({ code: 'FORMAT_INVALID' }) as Error)
  },
)

test('numbers and bytes have one text each', () => {
  expect(() => parseDecimal('9007199254740993')).toThrow('not a decimal')
  expect(() => fromBase64('YQ')).toThrow('base64')
  expect(() => fromUtf8(Uint8Array.of(0xff))).toThrow('UTF-8')
})

const sibling = leafHash(utf8('b'))
const checkpoint = signCheckpoint({ size: 2, root: nodeHash(root, sibling) }, log.key, log.sign)
const proof = formatTlogProof({ index: 0, hashes: [sibling], checkpoint })

test('a proof text carries all that is needed, and keeps its form', async () => {
  expect(proof.split('\n').slice(0, 3)).toEqual(['c2sp.org/tlog-proof@v1', 'index 0', toBase64(sibling)])
  await expect(verifyTlogProof(proof, root, log.key)).resolves.toMatchObject({ index: 0, checkpoint: { size: 2 } })
  const extra = formatTlogProof({ ...parseTlogProof(proof), extra: utf8('more') })
  expect(fromUtf8(parseTlogProof(extra).extra as Uint8Array)).toBe('more')
  expect(readCheckpoint(parseTlogProof(extra).checkpoint).size).toBe(2)
})

test('a proof for another leaf, place or key does not verify', async () => {
  await expect(verifyTlogProof(proof, sibling, log.key)).rejects.toThrow('not at place 0')
  await expect(verifyTlogProof(proof.replace('index 0', 'index 1'), root, log.key)).rejects.toThrow('not at place 1')
  await expect(verifyTlogProof(proof, root, other.key)).rejects.toThrow('not signed by')
  expect(() => parseTlogProof(proof.replace('@v1', '@v2'))).toThrow('does not start')
  expect(() => parseTlogProof(proof.replace('index 0\n', ''))).toThrow('no index')
  expect(() => parseTlogProof(proof.replace(toBase64(sibling), 'AAAA'))).toThrow('malformed')
})

test('a receipt holds when the log kept its place, and not when the proof is for another', async () => {
  const receipt = { origin: log.key.name, seq: 0, leafHash: toHex(root) }
  await expect(verifyReceipt(receipt, proof, log.key)).resolves.toMatchObject({ size: 2 })
  const one = formatTlogProof({ index: 1, hashes: [root], checkpoint })
  await expect(verifyReceipt({ ...receipt, leafHash: toHex(sibling) }, one, log.key)).rejects.toThrow('the receipt for 0')
  await expect(verifyReceipt({ ...receipt, origin: 'elsewhere' }, proof, log.key)).rejects.toThrow('of elsewhere')
})

test('a commitment holds for its salt and payload alone', () => {
  const salt = new Uint8Array(32)
  const made = makeCommitment(salt, utf8('payload'))
  expect(verifyCommitment(made, salt, utf8('payload'))).toBe(true)
  expect(verifyCommitment(made, salt, utf8('payloae'))).toBe(false)
  expect(verifyCommitment(made, salt.fill(1), utf8('payload'))).toBe(false)
  expect(() => makeCommitment(new Uint8Array(8), utf8(''))).toThrow(RangeError)
})
