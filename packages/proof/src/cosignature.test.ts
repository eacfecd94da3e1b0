/** Cosignatures and what is sent to witnesses: the specification's bytes, what counts, and what must not. */
import { expect, test } from 'vitest'
import { formatAddCheckpoint, parseAddCheckpoint } from './add-checkpoint.ts'
import { concatBytes, fromBase64, toBase64, utf8 } from './bytes.ts'
import { readCheckpoint, signCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import {
  countCosignatures,
  formatCosignerKey,
  makeCosignerKey,
  parseCosignerKey,
  signCosignature,
  verifyCosignature,
} from './cosignature.ts'
import { testKey } from './log.fixture.ts'
import { leafHash } from './merkle.ts'
import { appendSignature, formatSignatureLine, formatVerifierKey, parseNote, parseSignatureLines } from './note.ts'

/** From c2sp.org/tlog-cosignature and c2sp.org/tlog-witness. */
const SPECIFIED = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`
const log = testKey('example.com/log', 1)
const note = signCheckpoint({ size: 7, root: leafHash(utf8('a')) }, log.key, log.sign)

function witness(name: string, byte: number) {
  const { key, sign } = testKey(name, byte)
  const { publicKey } = key
  return {
    key: makeCosignerKey(name, publicKey),
    sign: (time: number, text = note) => signCosignature(text, { name, publicKey, sign, time }),
  }
}

const one = witness('witness.example/w1', 11)
const two = witness('witness.example/w2', 12)

test('the specification’s example is read: the log’s line, and the witness’s with its time', async () => {
  const { notChecked } = await countCosignatures(SPECIFIED, [])
  expect(notChecked.map(({ name, kind }) => [name, kind])).toEqual([
    ['example.com/behind-the-sofa', 'ed25519'],
    ['witness.example.com/w1', 'cosignature'],
  ])
  expect(new DataView(notChecked[1]?.signature.buffer as ArrayBuffer).getBigUint64(0)).toBe(1679315147n)
})

test('a cosignature signs the two lines and the note’s text, and its line starts with key id and time', async () => {
  const signed: string[] = []
  const { key, sign } = testKey(one.key.name, 11)
  const spy = (bytes: Uint8Array) => {
    signed.push(new TextDecoder().decode(bytes))
    return Promise.resolve(sign(bytes))
  }
  const line = await signCosignature(note, { name: key.name, publicKey: key.publicKey, sign: spy, time: 1679315147 })
  expect(signed).toEqual([`cosignature/v1\ntime 1679315147\n${parseNote(note).text}`])
  const bytes = fromBase64(line.trimEnd().split(' ')[2] as string)
  expect(bytes).toHaveLength(4 + 8 + 64)
  expect(bytes.subarray(0, 4)).toEqual(one.key.keyId)
  expect(new DataView(bytes.buffer).getBigUint64(4)).toBe(1679315147n)
})

test('a witness’s key keeps its text, and is not a log’s key', () => {
  const text = formatCosignerKey(one.key)
  expect(parseCosignerKey(text)).toEqual(one.key)
  expect(() => parseCosignerKey(formatVerifierKey(log.key))).toThrow('type 0x04')
  const { key } = testKey(one.key.name, 11)
  expect(key.keyId).not.toEqual(one.key.keyId)
})

test('a cosigned checkpoint verifies for the log and for the witness', async () => {
  const cosigned = appendSignature(note, await one.sign(1000))
  await expect(verifyCosignature(cosigned, one.key)).resolves.toEqual({ time: 1000 })
  await expect(verifyCheckpoint(cosigned, log.key)).resolves.toMatchObject({ size: 7 })
  await expect(verifyCosignature(cosigned, two.key)).rejects.toThrow('not cosigned by witness.example/w2')
  await expect(verifyCosignature(note, one.key)).rejects.toThrow('not cosigned')
})

test('a cosignature of another checkpoint, time, witness or kind of key does not hold', async () => {
  const line = await one.sign(1000)
  const other = signCheckpoint({ size: 8, root: leafHash(utf8('a')) }, log.key, log.sign)
  await expect(verifyCosignature(appendSignature(other, line), one.key)).rejects.toThrow('not valid')
  const [parsed] = parseSignatureLines(line)
  const signature = (parsed as { signature: Uint8Array }).signature
  const relabelled = (change: Uint8Array) =>
    appendSignature(note, formatSignatureLine({ name: one.key.name, keyId: one.key.keyId, signature: change }))
  const later = concatBytes(Uint8Array.of(0, 0, 0, 0, 0, 0, 3, 0xe9), signature.subarray(8))
  await expect(verifyCosignature(relabelled(later), one.key)).rejects.toThrow('not valid')
  await expect(verifyCosignature(relabelled(signature.subarray(8)), one.key)).rejects.toThrow('not valid')
  await expect(verifyCosignature(relabelled(concatBytes(new Uint8Array(8).fill(0xff), signature.subarray(8))), one.key)).rejects.toThrow(
    'not valid',
  )
  // A log's plain signature by the same private key must not pass for a statement of a witness.
  const plain = testKey(one.key.name, 11).sign(utf8(parseNote(note).text))
  await expect(verifyCosignature(relabelled(concatBytes(signature.subarray(0, 8), plain)), one.key)).rejects.toThrow('not valid')
})

test('k of n counts keys, not lines: no witness counts twice, whatever it signs or is called', async () => {
  const twice = appendSignature(appendSignature(note, await one.sign(1000)), await one.sign(2000))
  const alias = witness('witness.example/alias', 11)
  const all = appendSignature(appendSignature(twice, await alias.sign(1500)), await two.sign(1200))
  const { cosigned, invalid } = await countCosignatures(all, [one.key, alias.key, two.key])
  expect(cosigned.map(({ key, time }) => [key.name, time])).toEqual([
    ['witness.example/w1', 2000],
    ['witness.example/w2', 1200],
  ])
  expect(invalid).toEqual([])
})

test('lines of strangers and of ML-DSA-44 are kept and said, and never counted', async () => {
  const mlDsa = formatSignatureLine({ name: one.key.name, keyId: Uint8Array.of(1, 2, 3, 4), signature: new Uint8Array(2428) })
  const odd = formatSignatureLine({ name: 'x', keyId: Uint8Array.of(1, 2, 3, 4), signature: new Uint8Array(9) })
  const all = [mlDsa, odd, await two.sign(5)].reduce(appendSignature, note)
  expect(all).toContain(mlDsa)
  const { cosigned, notChecked } = await countCosignatures(all, [one.key])
  expect(cosigned).toEqual([])
  expect(notChecked.map(({ kind }) => kind)).toEqual(['ed25519', 'ml-dsa-44', 'unknown', 'cosignature'])
})

test('a wrong line in the name of a witness is told apart from none', async () => {
  const wrong = formatSignatureLine({ name: one.key.name, keyId: one.key.keyId, signature: new Uint8Array(72).fill(1) })
  const all = appendSignature(appendSignature(note, wrong), await two.sign(5))
  await expect(countCosignatures(all, [one.key, two.key])).resolves.toMatchObject({
    cosigned: [{ key: { name: two.key.name } }],
    invalid: [one.key.name],
  })
})

test('adding a line that is there changes nothing, and only one line is taken at a time', async () => {
  const line = await one.sign(1000)
  const once = appendSignature(note, line)
  expect(appendSignature(once, line)).toBe(once)
  expect(() => appendSignature(note, line + line.replace('w1', 'w3'))).toThrow('not one signature line')
  for (const bad of ['', line.trimEnd(), `\n${line}`, `${line}\n`, line.replace('—', '-')])
    expect(() => appendSignature(note, bad)).toThrow(expect.objectContaining({ code: 'FORMAT_INVALID' }) as Error)
  expect(() => parseNote(once + line)).toThrow('stands there twice')
  const many = Array.from({ length: 101 }, (_, i) =>
    formatSignatureLine({ name: `w${i}`, keyId: new Uint8Array(4), signature: new Uint8Array(72) }),
  )
  expect(() => parseSignatureLines(many.join(''))).toThrow('more than 100')
})

test.each([0, -1, 1.5, 2 ** 60])('no cosignature is made for the time %d', async (time) => {
  await expect(one.sign(time)).rejects.toThrow('whole second')
})

test('what is no checkpoint is not cosigned', async () => {
  const { key, sign } = log
  const text = `hello\n\n${note.split('\n').at(-2)}\n`
  await expect(signCosignature(text, { name: 'w', publicKey: key.publicKey, sign, time: 1 })).rejects.toThrow('checkpoint')
})

/** From c2sp.org/tlog-witness, "add-checkpoint". */
const REQUEST = `old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
`

test('the specification’s request is read and written to the byte', () => {
  const request = parseAddCheckpoint(utf8(REQUEST))
  expect(request).toMatchObject({ old: 20852014, proof: { length: 4 } })
  expect(readCheckpoint(request.checkpoint).size).toBe(20852163)
  expect(formatAddCheckpoint(request)).toBe(REQUEST)
})

const hash = toBase64(new Uint8Array(32))

test.each([
  ['no old size', REQUEST.replace('old 20852014\n', '')],
  ['an old size with a leading zero', REQUEST.replace('old 2', 'old 02')],
  ['a negative old size', REQUEST.replace('old 2', 'old -2')],
  ['an old size beyond all logs', REQUEST.replace('old 2', 'old 20000000000000')],
  ['two spaces', REQUEST.replace('old 2', 'old  2')],
  ['carriage returns', REQUEST.replaceAll('\n', '\r\n')],
  ['no empty line', REQUEST.replace('\n\nexample', '\nexample')],
  ['two empty lines', REQUEST.replace('\n\nexample', '\n\n\nexample')],
  ['a short hash', REQUEST.replace('PlRN', '')],
  ['base64 that is not canonical', REQUEST.replace('Kj/0=', 'Kj/1=')],
  ['64 lines of proof', REQUEST.replace('old 20852014', `old 1\n${Array(60).fill(hash).join('\n')}`)],
  ['no checkpoint', 'old 0\n\n'],
  ['a checkpoint without signatures', `old 0\n\na\n1\n${hash}\n`],
])('a request with %s is refused', (_, text) => {
  expect(() => parseAddCheckpoint(text)).toThrow(expect.objectContaining({ code: 'FORMAT_INVALID' }) as Error)
})
