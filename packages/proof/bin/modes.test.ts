/** What `ephor-verify` says of each kind of thing that it is given, and of what it can't say. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, expect, test, vi } from 'vitest'
import { fromBase64, toHex, utf8 } from '../src/bytes.ts'
import { formatCosignerKey, makeCosignerKey, signCosignature } from '../src/cosignature.ts'
import { signEvidence } from '../src/evidence.ts'
import { bodies, body, evidenceOf, makeEvidence, makeLog, revocation, rotation, stampOf, testKey } from '../src/log.fixture.ts'
import { leafHash } from '../src/merkle.ts'
import { appendSignature, formatVerifierKey } from '../src/note.ts'
import { formatTlogProof } from '../src/tlog-proof.ts'
import { run } from './ephor-verify.ts'

const NAME = 'example.com/log'
const [old, log] = [testKey(NAME, 1), testKey(NAME, 2)]
const [oldKey, vkey] = [formatVerifierKey(old.key), formatVerifierKey(log.key)]
const erased = body('ledger.erased', { subject: 'agt_\u202e1', reason: 'asked' })
const files = makeLog([...bodies(10), rotation(old, log), revocation(old, 10), ...bodies(20).slice(10), erased], log)
const witness = testKey('w.example/1', 11)
const cosigner = formatCosignerKey(makeCosignerKey(witness.key.name, witness.key.publicKey))
const note = new TextDecoder().decode(files.get('checkpoint'))
const cosigned = appendSignature(note, await signCosignature(note, { ...witness.key, sign: witness.sign, time: 1_700_000_000 }))
const proven = await evidenceOf(files, 14)
const proof = formatTlogProof({ index: 14, hashes: proven.proof.map(fromBase64), checkpoint: cosigned })
const receipt = { origin: NAME, seq: 14, leafHash: toHex(leafHash(utf8(proven.body))) }
let folder: string

function write(name: string, content: string | Uint8Array): string {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

function writeLog(): string {
  for (const [path, bytes] of files) write(`log/${path}`, bytes)
  write('log/checkpoint', cosigned)
  return join(folder, 'log')
}

async function verify(...args: string[]) {
  const said: string[] = []
  const spies = (['log', 'error'] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation((text: string) => void said.push(text)),
  )
  const code = await run(args)
  for (const spy of spies) spy.mockRestore()
  return { code, text: said.join('\n') }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ephor-verify-'))
  return () => rmSync(folder, { recursive: true })
})

test('of a log it says keys, witnesses, erasures and time stamps, and what it did not verify', async () => {
  const target = writeLog()
  write('log/timestamps/21.tsr', '')
  const { code, text } = await verify(target, '--vkey', oldKey, '--witness', cosigner)
  expect(code).toBe(0)
  for (const words of [
    'Verified: example.com/log, 23 entries',
    `${oldKey} was replaced by entry 10, and is revoked above 10 entries (compromised)`,
    `${vkey} speaks for the log now`,
    'Cosigned by 1 trusted witnesses (1 required):',
    'w.example/1 at 2023-11-14T22:13:20.000Z by its clock',
    'entry 22 at 2026-01-02T03:04:05.678Z: {"reason":"asked","subject":"agt_\\u202e1","type":"ledger.erased"}',
    'Not verified:',
    '- that nothing was dropped since you last looked',
    '- the time stamps for 21 entries',
    '- that what was recorded is true',
  ])
    expect(text).toContain(words)
  expect(text).not.toContain('--witness')
  const alone = await verify('log', target)
  expect(alone.text).toContain('Signature not checked, and not counted: w.example/1 (a witness that you did not name).')
  expect(alone.text).toContain('the verifier key came from the folder itself')
})

test('too few witnesses do not verify', async () => {
  const other = formatCosignerKey(makeCosignerKey('w.example/2', testKey('x', 12).key.publicKey))
  const { code, text } = await verify(writeLog(), '--vkey', vkey, '--witness', cosigner, '--witness', other)
  expect([code, text]).toEqual([1, expect.stringContaining('DOES NOT VERIFY [COSIGNATURES_MISSING]')])
  const one = await verify(writeLog(), '--vkey', vkey, '--witness', cosigner, '--witness', write('w2.vkey', `${other}\n`), '--require', '1')
  expect(one.code).toBe(0)
})

test.each([
  ['as it is', receipt],
  ['in the result of an MCP tool', { content: [], _meta: { 'dev.ephor/receipt': { decision: 'dec_6', ...receipt } } }],
  ['in a JSON-RPC answer', { jsonrpc: '2.0', id: 1, result: { _meta: { 'dev.ephor/receipt': receipt } } }],
  ['in an answer of the HTTP API', { id: 'dec_6', receipt }],
])('a receipt %s verifies with its proof', async (_, value) => {
  const file = write('receipt.json', JSON.stringify(value))
  const { code, text } = await verify(file, '--proof', write('p.tlog-proof', proof), '--vkey', vkey)
  expect([code, text]).toEqual([0, expect.stringContaining('The log kept the promise of the receipt')])
})

test('a receipt for another entry does not verify, and one without key or proof is wrong use', async () => {
  const file = write('receipt.json', JSON.stringify({ ...receipt, leafHash: '00'.repeat(32) }))
  const proofFile = write('p.tlog-proof', proof)
  const wrong = await verify('receipt', file, '--proof', proofFile, '--vkey', vkey)
  expect([wrong.code, wrong.text]).toEqual([1, expect.stringContaining('DOES NOT VERIFY [PROOF_INVALID] at entry 14')])
  expect((await verify(file, '--proof', proofFile)).code).toBe(2)
  expect((await verify(file, '--vkey', vkey)).code).toBe(2)
})

test('an entry verifies with its proof, however its JSON is laid out', async () => {
  const file = write('p.tlog-proof', proof)
  const pretty = write('entry.json', JSON.stringify(JSON.parse(proven.body), null, 2))
  const { code, text } = await verify(file, '--entry', pretty, '--vkey', vkey, '--witness', cosigner)
  expect([code, text]).toEqual([0, expect.stringContaining('Verified: entry 14 of example.com/log')])
  const other = write('entry.json', body('x'))
  expect((await verify(file, '--entry', other, '--vkey', vkey)).code).toBe(1)
  expect((await verify(file, '--vkey', vkey)).code).toBe(2)
})

test('an evidence bundle verifies for who holds an older key, and says what it leaves out', async () => {
  const predicate = await makeEvidence(files, [old, log], { first: 2, end: 9, keyEntries: [10, 11] })
  const whole = write('whole.json', JSON.stringify(await signEvidence(predicate, log.sign)))
  const { code, text } = await verify(whole, '--vkey', oldKey)
  expect([code, text]).toEqual([0, expect.stringContaining('No entry of the range is missing.')])
  expect((await verify(whole)).text).toContain('the verifier key came from the bundle itself')
  const stamps = { ...predicate, timestamps: [await stampOf(files, 15, old)] }
  const file = write("it's stamped.json", JSON.stringify(await signEvidence(stamps, log.sign)))
  const stamped = (await verify(file, '--vkey', vkey)).text
  expect(stamped).toContain('openssl ts -verify -in 15.tsr -data 15.checkpoint -CAfile authority.pem')
  const [line = ''] = /jq .*checkpoint.*(?= >)/.exec(stamped) ?? []
  // Only quoting is the shell's here, so that this runs where jq is missing too.
  const words = spawnSync('sh', ['-c', `printf '%s\\n' ${line.split('|')[0]}`], { encoding: 'utf8' })
  expect(words.stdout.split('\n')).toEqual(['jq', '-r', '.payload', file, ''])
  const some = { ...predicate, entries: predicate.entries.slice(1, 3), filter: { agent: 'agt_1' } }
  const selection = await verify('evidence', write('some.json', JSON.stringify(await signEvidence(some, log.sign))), '--vkey', vkey)
  expect(selection.text).toContain('A selection, by agent=agt_1.')
  expect(selection.text).toContain('- that no other entry of the range belongs to the selection;')
  const forged = write('forged.json', JSON.stringify(await signEvidence(predicate, old.sign)))
  expect((await verify(forged, '--vkey', oldKey, '--json')).text).toContain('"fault":"SIGNATURE_INVALID"')
})

test('what has no meaning for a thing, or is none of them, is wrong use', async () => {
  const file = write('receipt.json', JSON.stringify(receipt))
  const other = write('other.json', '{}')
  for (const args of [
    ['a', 'b'],
    [join(folder, 'nowhere')],
    [folder],
    [folder, '--vkey', 'nofile'],
    [file, '--earlier', other],
    [other],
    ['log', file],
    ['receipt', folder],
    [writeLog(), '--require', '1'],
    [writeLog(), '--require', 'x'],
    [write('b.json', '{"payloadType":"a","payload":"","signatures":[]}')],
  ])
    expect(await verify(...args)).toEqual({ code: 2, text: expect.stringContaining('ephor-verify:') as string })
})
