/** A log that Ephor wrote, read by a program in another language with somebody else's implementation: it holds, and what was corrupted does not. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeLog } from './write-log.ts'
import type { Written } from './write-log.ts'

const GOPATH = '/usr/share/gocode'
const here = existsSync(join(GOPATH, 'src/golang.org/x/mod/sumdb')) && spawnSync('go', ['version']).status === 0
if (!here) console.warn('Skipped: the independent check needs Go and golang.org/x/mod (apt-get install golang-go golang-golang-x-mod-dev)')
const ENTRIES = 700
const folder = mkdtempSync(join(tmpdir(), 'ephor-independent-'))
const program = join(folder, 'check-log')
let written: Written

beforeAll(async () => {
  if (!here) return
  const env = { ...process.env, GO111MODULE: 'off', GOPATH, GOFLAGS: '' }
  execFileSync('go', ['build', '-o', program, join(import.meta.dirname, 'check-log.go')], { env })
  written = await writeLog(join(folder, 'written'), ENTRIES)
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

type Given = Partial<{ vkey: string; cosigner: string; log: string; proofs: string }>

function check(given: Given = {}) {
  const { vkey, cosigner, log, proofs } = { ...written, ...given }
  const { status, stdout, stderr } = spawnSync(program, ['-vkey', vkey, '-cosigner', cosigner, '-proofs', proofs, log], {
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

/** A copy of the log or of the proofs in which one file is another. */
function changed(what: 'log' | 'proofs', path: string, change: (bytes: Buffer) => Buffer | undefined): Given {
  const copy = mkdtempSync(join(folder, 'copy-'))
  cpSync(written[what], copy, { recursive: true })
  const bytes = change(readFileSync(join(copy, path)))
  if (bytes) writeFileSync(join(copy, path), bytes)
  else rmSync(join(copy, path))
  return { [what]: copy }
}

const flip = (at: number) => (bytes: Buffer) => {
  const place = at < 0 ? bytes.length + at : at
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place)
  return bytes
}

test.skipIf(!here)('notes, cosignature, entries, tiles, 200 inclusion and 200 consistency proofs hold', () => {
  expect(check()).toEqual({
    status: 0,
    // Three tiles of leaves and the one above them.
    stdout: `verified: ${ENTRIES} entries, 4 tiles, 2 signatures, 200 inclusion proofs, 200 consistency proofs\n`,
    stderr: '',
  })
})

test.skipIf(!here).each<[string, string, () => Given]>([
  ['a byte of the checkpoint’s text', 'invalid signature', () => changed('log', 'checkpoint', flip(20))],
  [
    'a byte of the checkpoint’s signature',
    'invalid signature',
    () => changed('log', 'checkpoint', (b) => Buffer.from(withOtherSignature(b.toString()))),
  ],
  ['a byte of a full bundle', 'the checkpoint says', () => changed('log', 'tile/entries/001', flip(1000))],
  ['a byte of the last bundle', 'the checkpoint says', () => changed('log', 'tile/entries/002.p/188', flip(-2))],
  ['a byte of a full tile', 'is not the tile', () => changed('log', 'tile/0/000', flip(77))],
  ['a byte of a partial tile', 'is not the tile', () => changed('log', 'tile/0/002.p/188', flip(77))],
  ['a byte of a tile of the upper level', 'is not the tile', () => changed('log', 'tile/1/000.p/2', flip(40))],
  [
    'a dropped tail',
    'ends inside entry 699',
    () => changed('log', 'tile/entries/002.p/188', (b) => b.subarray(0, b.length - 2 - lastLength(b))),
  ],
  ['a dropped file of entries', 'no such file', () => changed('log', 'tile/entries/002.p/188', () => undefined)],
  [
    'an added entry',
    'has more than its entries',
    () => changed('log', 'tile/entries/002.p/188', (b) => Buffer.concat([b, Buffer.from([0, 1, 65])])),
  ],
  ['two swapped tiles', 'is not the tile', () => changed('log', 'tile/0/000', () => readFileSync(join(written.log, 'tile/0/001')))],
  [
    'two swapped bundles',
    'the checkpoint says',
    () => changed('log', 'tile/entries/000', () => readFileSync(join(written.log, 'tile/entries/001'))),
  ],
  ['another log’s key', 'not signed by ledger', () => ({ vkey: written.otherKey })],
  ['another witness’s key', 'not signed by witness', () => ({ cosigner: written.otherCosigner })],
  [
    'a cosignature of another time',
    'invalid signature for key witness',
    () => changed('log', 'checkpoint', (b) => Buffer.from(withOtherTime(b.toString()))),
  ],
  [
    'a byte of an inclusion proof',
    'invalid transparency proof',
    () => changed('proofs', '1.tlog-proof', (b) => Buffer.from(withOtherHash(b.toString()))),
  ],
  [
    'an inclusion proof for another place',
    'invalid transparency proof',
    () => changed('proofs', '1.tlog-proof', (b) => Buffer.from(b.toString().replace(/^index .*$/m, 'index 2'))),
  ],
  [
    'an inclusion proof that is too short',
    'invalid transparency proof',
    () => changed('proofs', '1.tlog-proof', (b) => Buffer.from(b.toString().replace(/^(index .*\n).*\n/m, '$1'))),
  ],
  [
    'a changed consistency proof',
    'invalid transparency proof',
    () => changed('proofs', 'consistency.txt', (b) => Buffer.from(withOtherHash(b.toString()))),
  ],
  [
    'a consistency proof for other sizes',
    'invalid transparency proof',
    () => changed('proofs', 'consistency.txt', (b) => Buffer.from(b.toString().replace(/^\d+ /, '2 '))),
  ],
])('%s is refused', (_, reason, given) => {
  const { status, stdout, stderr } = check(given())
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(new RegExp(`^refused: .*${reason}`))
})

/** The length of the last entry of a bundle. */
function lastLength(bundle: Buffer): number {
  for (let at = 0; ;) {
    const length = bundle.readUInt16BE(at)
    if (at + 2 + length === bundle.length) return length
    at += 2 + length
  }
}

/** One character of the first hash is another. */
function withOtherHash(text: string): string {
  return text.replace(/([A-Za-z0-9+/])([A-Za-z0-9+/]{42}=)/, (_, first: string, rest: string) => `${first === 'A' ? 'B' : 'A'}${rest}`)
}

/** One character of the log's signature is another. */
function withOtherSignature(note: string): string {
  return note.replace(/^(— ledger\S* .{30})(.)/m, (_, head: string, one: string) => head + (one === 'A' ? 'B' : 'A'))
}

/** The witness's line says a second that it did not sign. */
function withOtherTime(note: string): string {
  return note.replace(
    /^(— witness\S* )(\S+)$/m,
    (_, head: string, base64: string) => head + flip(11)(Buffer.from(base64, 'base64')).toString('base64'),
  )
}

test.skipIf(!here)('what is refused is the corruption: an untouched copy holds', () => {
  expect(check(changed('log', 'checkpoint', (bytes) => bytes)).status).toBe(0)
})
