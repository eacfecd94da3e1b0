/** The command an auditor runs: what it prints, and its exit codes. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, expect, test } from 'vitest'
import { bodies, makeLog, testKey } from '../src/log.fixture.ts'
import { formatVerifierKey } from '../src/note.ts'

const log = testKey('example.com/log', 1)
let folder: string

function write(name: string, files: Map<string, Uint8Array>): string {
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(folder, name, path)), { recursive: true })
    writeFileSync(join(folder, name, path), bytes)
  }
  return join(folder, name)
}

function run(...args: string[]) {
  const command = fileURLToPath(new URL('./ephor-verify.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ephor-verify-'))
  return () => rmSync(folder, { recursive: true })
})

test('a good export verifies, and the source of the key is said', () => {
  const target = write('log', makeLog(bodies(10), log))
  const alone = run(target)
  expect(alone).toMatchObject({ status: 0, stdout: expect.stringContaining('Verified: example.com/log, 10 entries') as string })
  expect(alone.stdout).toContain('came from the folder itself')
  const given = run(target, '--vkey', formatVerifierKey(log.key))
  expect(given.status).toBe(0)
  expect(given.stdout).not.toContain('came from the folder')
  expect(run(target, '--vkey', join(target, 'ledger.vkey')).status).toBe(0)
})

test('one changed byte does not verify, and the place is named', () => {
  const target = write('log', makeLog(bodies(10), log))
  const file = join(target, 'tile/entries/000.p/10')
  writeFileSync(file, readFileSync(file, 'latin1').replace('dec_2', 'dec_9'), 'latin1')
  expect(run(target)).toMatchObject({ status: 1, stdout: expect.stringContaining('DOES NOT VERIFY [ENTRY_CHANGED] at entry 4') as string })
  const { status, stdout } = run(target, '--json')
  expect([status, JSON.parse(stdout)]).toMatchObject([1, { ok: false, fault: 'ENTRY_CHANGED', keyFrom: 'folder' }])
})

test('an earlier checkpoint shows that the tail was dropped', () => {
  const kept = join(write('before', makeLog(bodies(10), log)), 'checkpoint')
  const target = write('log', makeLog(bodies(8), log))
  expect(run(target, '--earlier', kept)).toMatchObject({ status: 1, stdout: expect.stringContaining('ROLLED_BACK') as string })
  expect(run(write('after', makeLog(bodies(12), log)), '--earlier', kept)).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('the 10 entries of the earlier checkpoint') as string,
  })
})

test('wrong use is told apart from a log that does not verify', () => {
  expect(run('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage: ephor-verify [log] FOLDER') as string })
  for (const args of [[], [folder, '--unknown']])
    expect(run(...args)).toMatchObject({ status: 2, stderr: expect.stringContaining('ephor-verify:') as string })
})
