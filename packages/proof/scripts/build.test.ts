/** The package as it is published: for whoever installs it without our sources, in Node and in a real browser. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fromBase64, toHex, utf8 } from '../src/bytes.ts'
import { formatCosignerKey, makeCosignerKey, signCosignature } from '../src/cosignature.ts'
import { signEvidence } from '../src/evidence.ts'
import { bodies, evidenceOf, makeEvidence, makeLog, rotation, testKey } from '../src/log.fixture.ts'
import { leafHash } from '../src/merkle.ts'
import { appendSignature, formatVerifierKey } from '../src/note.ts'
import { formatTlogProof } from '../src/tlog-proof.ts'
import { build } from './build.ts'

const CHROMIUM = '/usr/bin/chromium'
const TYPES: Record<string, string> = { '.js': 'text/javascript', '.html': 'text/html' }
const [old, log] = [testKey('example.com/log', 1), testKey('example.com/log', 2)]
const witness = testKey('w.example/1', 11)
const folder = mkdtempSync(join(tmpdir(), 'ephor-proof-'))
/** Where it would be installed: Node runs no TypeScript there. */
const installed = join(folder, 'node_modules/@ephor/proof')
const keys = { vkey: formatVerifierKey(old.key), witnesses: [formatCosignerKey(makeCosignerKey(witness.key.name, witness.key.publicKey))] }
let server: Server

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), content)
}

async function writeThings(): Promise<void> {
  const files = makeLog([...bodies(300), rotation(old, log), ...bodies(600).slice(300)], log)
  const note = new TextDecoder().decode(files.get('checkpoint'))
  const { key, sign } = witness
  files.set('checkpoint', utf8(appendSignature(note, await signCosignature(note, { ...key, sign, time: 1_700_000_000 }))))
  for (const [path, bytes] of files) write(`log/${path}`, bytes)
  const { body, proof } = await evidenceOf(files, 5)
  const checkpoint = new TextDecoder().decode(files.get('checkpoint'))
  write('proof', formatTlogProof({ index: 5, hashes: proof.map(fromBase64), checkpoint }))
  write('receipt.json', JSON.stringify({ origin: 'example.com/log', seq: 5, leafHash: toHex(leafHash(utf8(body))) }))
  const evidence = await makeEvidence(files, [old, log], { first: 250, end: 310, keyEntries: [300] })
  write('evidence.json', JSON.stringify(await signEvidence(evidence, log.sign)))
}

beforeAll(async () => {
  build(installed)
  await writeThings()
  server = createServer(({ url = '' }, answer) => {
    const file = join(folder, new URL(url, 'http://localhost').pathname)
    const there = existsSync(file) && !file.endsWith('/')
    answer.writeHead(there ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' })
    answer.end(there ? readFileSync(file) : '')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
}, 60_000)
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

test('what is published is JavaScript with its types, without dependencies, sources or tests', () => {
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' })
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'src/index.js', 'src/index.d.ts', 'bin/ephor-verify.mjs']))
  expect(files.filter((file) => (file.endsWith('.ts') && !file.endsWith('.d.ts')) || /test|fixture/.test(file))).toEqual([])
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<string, unknown>
  expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['private']))
  expect(Object.keys(manifest).filter((name) => name.endsWith('ependencies'))).toEqual([])
  const imports = files
    .filter((file) => file.endsWith('.js') && file.startsWith('src/'))
    .flatMap((file) => readFileSync(join(installed, file), 'utf8').match(/from '[^.][^']*'/g) ?? [])
  expect(imports).toEqual([])
})

test('installed, its command and its library verify in Node', () => {
  const command = join(installed, 'bin/ephor-verify.mjs')
  const { status, stdout } = spawnSync(process.execPath, [command, join(folder, 'log'), '--vkey', keys.vkey], { encoding: 'utf8' })
  expect([status, stdout]).toEqual([0, expect.stringContaining('Verified: example.com/log, 601 entries')])
  write('use.mjs', "import { verifyLog } from '@ephor/proof'\nconsole.log(typeof verifyLog)\n")
  expect(execFileSync(process.execPath, [join(folder, 'use.mjs')], { encoding: 'utf8' })).toBe('function\n')
})

test('installed, its types are what a program in TypeScript sees', () => {
  const program = `import { verifyLog, type Verdict } from '@ephor/proof'
export const verdict: Promise<Verdict> = verifyLog({ read: async () => undefined }, { vkey: 'k' })
// @ts-expect-error a verifier needs a key
export const wrong = verifyLog({ read: async () => undefined }, {})
`
  write('use.ts', program)
  const tsc = join(import.meta.dirname, '../../../node_modules/typescript/bin/tsc')
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--ignoreConfig']
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...flags, join(folder, 'use.ts')], { encoding: 'utf8', cwd: folder })
  expect([status, stdout]).toEqual([0, ''])
})

/** What runs in the page: its functions come from the built package, over HTTP. */
const PAGE = `<!doctype html><meta charset="utf-8"><script type="module">
import * as proof from '/node_modules/@ephor/proof/src/index.js'
const { vkey, witnesses } = KEYS
const text = (path) => fetch(path).then((response) => response.text())
const read = async (path) => {
  const response = await fetch('/log/' + path)
  return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined
}
const newest = (await text('/log/ledger.vkey')).trim()
const note = await text('/log/checkpoint')
const [tlogProof, receipt, evidence] = [await text('/proof'), JSON.parse(await text('/receipt.json')), await text('/evidence.json')]
const log = await proof.verifyLog({ read }, { vkey, witnesses })
const forged = { read: async (path) => {
  const bytes = await read(path)
  if (path === 'tile/entries/001') bytes[500] ^= 1
  return bytes
} }
globalThis.said = {
  node: typeof process,
  log: [log.ok, log.size, log.cosigned?.length],
  forged: (await proof.verifyLog(forged, { vkey })).fault,
  checkpoint: (await proof.verifyCheckpoint(note, proof.parseVerifierKey(newest))).size,
  cosignature: (await proof.verifyCosignature(note, proof.parseCosignerKey(witnesses[0]))).time,
  receipt: (await proof.verifyReceiptProof(receipt, tlogProof, { vkey: newest, witnesses })).ok,
  otherReceipt: (await proof.verifyReceiptProof({ ...receipt, seq: 6 }, tlogProof, { vkey: newest })).fault,
  evidence: (await proof.verifyEvidence(evidence, { vkey })).entries,
}
</script>`

test.skipIf(!existsSync(CHROMIUM))(
  'a browser verifies a proof, a cosigned checkpoint, evidence and a whole log, and refuses what was changed',
  async () => {
    write('page.html', PAGE.replace('KEYS', JSON.stringify(keys)))
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    try {
      const page = await browser.newPage()
      const complaints: string[] = []
      page.on('pageerror', (error) => complaints.push(error.message))
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/page.html`)
      await page.waitForFunction('globalThis.said', undefined, { timeout: 30_000 }).catch(() => undefined)
      expect(complaints).toEqual([])
      expect(await page.evaluate('globalThis.said')).toEqual({
        node: 'undefined',
        log: [true, 601, 1],
        forged: 'ENTRY_CHANGED',
        checkpoint: 601,
        cosignature: 1_700_000_000,
        receipt: true,
        otherReceipt: 'PROOF_INVALID',
        evidence: 60,
      })
    } finally {
      await browser.close()
    }
  },
  60_000,
)
