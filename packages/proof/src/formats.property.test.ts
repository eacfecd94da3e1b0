/** For all inputs: what is written is read back, what was changed does not verify, and what is hostile is refused and never runs away. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatAddCheckpoint, parseAddCheckpoint } from './add-checkpoint.ts'
import { toBase64, utf8 } from './bytes.ts'
import { formatCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts'
import {
  countCosignatures,
  formatCosignerKey,
  makeCosignerKey,
  parseCosignerKey,
  signCosignature,
  verifyCosignature,
} from './cosignature.ts'
import { signDsse, verifyDsse } from './dsse.ts'
import { bodies, makeEvidence, makeLog, rotation, testKey } from './log.fixture.ts'
import { signEvidence } from './evidence.ts'
import { appendSignature, formatNote, formatSignatureLine, formatVerifierKey, parseNote, parseSignatureLines } from './note.ts'
import { ProofError } from './proof-error.ts'
import { formatTlogProof, parseTlogProof } from './tlog-proof.ts'
import { verifyEvidence } from './verify-evidence.ts'
import { verifyLog } from './verify-log.ts'

const log = testKey('example.com/log', 1)
const witness = testKey('witness.example/w1', 2)
const cosigner = makeCosignerKey(witness.key.name, witness.key.publicKey)

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
const size = fc.maxSafeNat()
const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => /^[^\s+\p{Cc}\p{Z}]+$/u.test(text) && text.isWellFormed())
const line = fc.record({
  name,
  keyId: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  signature: fc.uint8Array({ minLength: 1, maxLength: 100 }),
})
const lines = fc.uniqueArray(line, { minLength: 1, maxLength: 8, selector: formatSignatureLine })
const note = fc.tuple(size, hash).map(([at, root]) => signCheckpoint({ size: at, root }, log.key, log.sign))

/** Bytes of the arrays that formats carry compare as numbers. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value, (_, v: unknown) => (v instanceof Uint8Array ? [...v] : v))) as unknown

/** One character is another, one more or one less. */
const edits = fc.record({ at: fc.nat(), by: fc.integer({ min: 1, max: 94 }), how: fc.constantFrom('replace', 'insert', 'remove') })
function edited(text: string, { at, by, how }: { at: number; by: number; how: string }): string {
  const place = at % text.length
  const other = String.fromCharCode(((text.charCodeAt(place) - 32 + by) % 95) + 32)
  return text.slice(0, place) + (how === 'remove' ? '' : other) + text.slice(how === 'insert' ? place : place + 1)
}

test('signature lines, notes and checkpoints are read back as written', () => {
  fc.assert(
    fc.property(lines, fc.string({ unit: 'grapheme' }), (signatures, text) => {
      const written = signatures.map(formatSignatureLine).join('')
      expect(plain(parseSignatureLines(written))).toEqual(plain(signatures))
      // eslint-disable-next-line no-control-regex -- what the specification forbids in a text
      const body = `${text.replaceAll(/[\u0000-\u001f]/g, '')}\n`
      fc.pre(body.isWellFormed())
      expect(plain(parseNote(formatNote(body, signatures)))).toEqual(plain({ text: body, signatures }))
    }),
  )
  fc.assert(
    fc.property(name, size, hash, fc.array(name, { maxLength: 3 }), (origin, at, root, extensions) => {
      const checkpoint = { origin, size: at, root, extensions }
      expect(plain(parseCheckpoint(formatCheckpoint(checkpoint)))).toEqual(plain(checkpoint))
    }),
  )
})

test('requests to witnesses, proofs and keys of witnesses are read back as written', () => {
  fc.assert(
    fc.property(size, fc.array(hash, { maxLength: 63 }), note, (old, proof, checkpoint) => {
      expect(plain(parseAddCheckpoint(formatAddCheckpoint({ old, proof, checkpoint })))).toEqual(plain({ old, proof, checkpoint }))
      const text = formatTlogProof({ index: old, hashes: proof, checkpoint })
      expect(plain(parseTlogProof(text))).toEqual(plain({ index: old, hashes: proof, checkpoint }))
    }),
    { numRuns: 40 },
  )
  fc.assert(
    fc.property(name, hash, (called, publicKey) => {
      const key = makeCosignerKey(called, publicKey)
      expect(plain(parseCosignerKey(formatCosignerKey(key)))).toEqual(plain(key))
    }),
  )
})

test('any text is read or refused with a ProofError, and what is read is what would be written', () => {
  const parsers: [(text: string) => unknown, (value: never) => string][] = [
    [parseAddCheckpoint, formatAddCheckpoint],
    [parseTlogProof, formatTlogProof],
    [parseCheckpoint, formatCheckpoint],
    [parseCosignerKey, formatCosignerKey],
    [parseSignatureLines, (signatures: never[]) => signatures.map(formatSignatureLine).join('')],
  ] as never
  const given = note.chain((checkpoint) => {
    const written = [
      formatAddCheckpoint({ old: 12, proof: [new Uint8Array(32)], checkpoint }),
      formatTlogProof({ index: 12, hashes: [new Uint8Array(32)], checkpoint }),
      parseNote(checkpoint).text,
      formatCosignerKey(cosigner),
      `${checkpoint.split('\n').at(-2)}\n`,
    ]
    return fc
      .tuple(fc.constantFrom(...written), fc.array(edits, { minLength: 1, maxLength: 2 }))
      .map(([text, all]) => all.reduce(edited, text))
  })
  fc.assert(
    fc.property(fc.oneof(given, fc.string()), fc.constantFrom(...parsers), (text, [parse, format]) => {
      try {
        expect(format(parse(text) as never)).toBe(text)
      } catch (error) {
        if (!(error instanceof ProofError)) throw error
      }
    }),
    { numRuns: 600 },
  )
})

test('no edit of a cosigned checkpoint leaves another cosignature that holds', async () => {
  const plainNote = signCheckpoint({ size: 9, root: new Uint8Array(32) }, log.key, log.sign)
  const cosigned = appendSignature(plainNote, await signCosignature(plainNote, { ...cosigner, sign: witness.sign, time: 1_700_000_000 }))
  const last = cosigned.lastIndexOf('\n— ')
  await fc.assert(
    fc.asyncProperty(edits, async (edit) => {
      const text = edited(cosigned, edit)
      // The witness signs the text and not the log's line, which is held to its own key.
      if (
        parseable(text) === plainNote.slice(0, plainNote.indexOf('\n\n') + 1) &&
        text.slice(-(cosigned.length - last)) === cosigned.slice(last)
      )
        return
      await expect(verifyCosignature(text, cosigner)).rejects.toThrow(ProofError)
    }),
    { numRuns: 300 },
  )
})

function parseable(text: string): string | undefined {
  try {
    return parseNote(text).text
  } catch {
    return undefined
  }
}

test('no edit of an envelope’s payload, type or signature verifies', async () => {
  const given = { payloadType: 'application/example', payload: utf8('what was signed, and more of it') }
  const envelope = await signDsse(given, { keyid: 'k', sign: log.sign })
  const [signature] = envelope.signatures as [{ sig: string }]
  const verified = (change: object) =>
    verifyDsse({ ...envelope, ...change }, { payloadType: given.payloadType, publicKey: log.key.publicKey })
  await fc.assert(
    fc.asyncProperty(edits, async (edit) => {
      await expect(verified({ payload: edited(envelope.payload, edit) })).rejects.toThrow(ProofError)
      await expect(verified({ payloadType: edited(envelope.payloadType, edit) })).rejects.toThrow(ProofError)
      const urlSafe = (text: string) => text.replaceAll('+', '-').replaceAll('/', '_')
      const sig = edited(signature.sig, edit)
      // The other alphabet's text for the same bytes is the only other text that verifies.
      fc.pre(sig !== urlSafe(signature.sig))
      await expect(verified({ signatures: [{ sig }] })).rejects.toThrow(ProofError)
    }),
    { numRuns: 100 },
  )
})

test('no edit of an evidence bundle’s signed content verifies', async () => {
  const files = makeLog(bodies(20), log)
  const bundle = JSON.stringify(await signEvidence(await makeEvidence(files, [log], { first: 3, end: 9 }), log.sign))
  const vkey = formatVerifierKey(log.key)
  const [from, to] = [bundle.indexOf('"payload":"') + 11, bundle.lastIndexOf('","signatures"')]
  await fc.assert(
    fc.asyncProperty(edits, async (edit) => {
      const text = bundle.slice(0, from) + edited(bundle.slice(from, to), edit) + bundle.slice(to)
      await expect(verifyEvidence(text, { vkey })).resolves.toMatchObject({ ok: false })
    }),
    { numRuns: 100 },
  )
})

test('no edit of a change of keys leads to a key', async () => {
  const next = testKey('example.com/log', 5)
  const entry = rotation(log, next)
  await fc.assert(
    fc.asyncProperty(edits, async (edit) => {
      const at = entry.indexOf('"from"')
      const changed = entry.slice(0, at) + edited(entry.slice(at, entry.indexOf('"tenant"')), edit) + entry.slice(entry.indexOf('"tenant"'))
      const files = makeLog([...bodies(2), changed], next)
      const verdict = await verifyLog({ read: (path) => Promise.resolve(files.get(path)) }, { vkey: formatVerifierKey(log.key) })
      expect(verdict.ok).toBe(false)
    }),
    { numRuns: 150 },
  )
})

const base = signCheckpoint({ size: 9, root: new Uint8Array(32) }, log.key, log.sign)
const sized = (text: string) => `a\n${text}\n${toBase64(new Uint8Array(32))}\n`

test.each(['01', '-1', '+1', '1e3', '0x1', ' 1', '1 ', '1.0', '', '9007199254740992', '1'.repeat(400), '٣', 'Infinity', 'NaN'])(
  '%j is the size of nothing',
  (text) => {
    const invalid = expect.objectContaining({ code: 'FORMAT_INVALID' }) as Error
    expect(() => parseCheckpoint(sized(text))).toThrow(invalid)
    expect(() => parseAddCheckpoint(`old ${text}\n\n${base}`)).toThrow(invalid)
    expect(() => parseTlogProof(`c2sp.org/tlog-proof@v1\nindex ${text}\n\n${base}`)).toThrow(invalid)
  },
)

test('a hostile note costs no more than its size', async () => {
  const started = performance.now()
  const many = formatNote(
    'a\n',
    Array.from({ length: 20_000 }, (_, i) => ({ name: `w${i}`, keyId: new Uint8Array(4), signature: new Uint8Array(72) })),
  )
  expect(() => parseNote(many)).toThrow('1 MiB')
  expect(() => parseNote(`a\n\n${'— a AAAAAAA=\n'.repeat(2)}`)).toThrow('twice')
  expect(() => parseNote(`${'\n'.repeat(2 ** 20 - 20)}— a AAAAAAA=\n`)).not.toThrow()
  expect(() => parseSignatureLines(`— a ${'A'.repeat(2 ** 22)}\n`.repeat(3))).toThrow('twice')
  expect(() => parseAddCheckpoint(`old 1\n${'AAAA\n'.repeat(200_000)}\n${base}`)).toThrow('63')
  expect(() => parseNote(base.replaceAll('\n', '\r\n'))).toThrow('control characters')
  // The most that are taken, all in the name of one witness: each is verified once, and none counts.
  const forged = Array.from({ length: 99 }, (_, i) => formatSignatureLine({ ...cosigner, signature: new Uint8Array(72).fill(i + 1) }))
  await expect(countCosignatures(base + forged.join(''), [cosigner])).resolves.toMatchObject({ cosigned: [], invalid: { length: 99 } })
  expect(performance.now() - started).toBeLessThan(5000)
})
