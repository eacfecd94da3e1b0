/** The offline verifier: what it accepts, and that it names the first thing that is wrong. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { utf8 } from './bytes.ts'
import { bodies, body, makeLog, testKey } from './log.fixture.ts'
import { formatVerifierKey } from './note.ts'
import { verifyLog } from './verify-log.ts'
import type { Verdict } from './verify-log.ts'

type Files = Map<string, Uint8Array>

const log = testKey('example.com/log', 1)
const forger = testKey('example.com/log', 2)
const SIZE = 600
const original = makeLog(bodies(SIZE), log)

function verify(files: Files, earlier?: Uint8Array): Promise<Verdict> {
  const read = (path: string) => Promise.resolve(files.get(path))
  return verifyLog({ read }, { vkey: formatVerifierKey(log.key), ...(earlier && { earlier }) })
}

function checkpointOf(files: Files): Uint8Array {
  return files.get('checkpoint') as Uint8Array
}

/** A copy in which one file has other bytes, or is gone. */
function changed(path: string, bytes: Uint8Array | undefined, files: Files = original): Files {
  const copy = new Map(files)
  if (bytes) copy.set(path, bytes)
  else copy.delete(path)
  return copy
}

function flip(files: Files, path: string, at: number): Files {
  const bytes = Uint8Array.from(files.get(path) as Uint8Array)
  bytes[at] = (bytes[at] as number) ^ 1
  return changed(path, bytes, files)
}

test('a log that nobody touched verifies, with all that is in it', async () => {
  await expect(verify(original)).resolves.toMatchObject({
    ok: true,
    origin: 'example.com/log',
    size: SIZE,
    types: { decision: 300, outcome: 300 },
  })
})

test.each([0, 1, 255, 256, 257, 599, 600])('a log verifies against its own checkpoint of %i entries', async (size) => {
  const earlier = checkpointOf(makeLog(bodies(SIZE).slice(0, size), log))
  await expect(verify(original, earlier)).resolves.toMatchObject({ ok: true, earlierSize: size })
})

test('any changed byte of any file is found', async () => {
  const small = makeLog(bodies(300), log)
  const paths = [...small.keys()].filter((path) => path !== 'ledger.vkey')
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.nat(), async (path, at) => {
      const verdict = await verify(flip(small, path, at % (small.get(path) as Uint8Array).length))
      expect(verdict.ok).toBe(false)
    }),
    { numRuns: 150 },
  )
})

test('any missing file is found', async () => {
  for (const path of original.keys()) {
    const verdict = await verify(changed(path, undefined))
    expect([path, verdict.ok]).toEqual([path, path === 'ledger.vkey'])
  }
})

function rewritten(change: (entries: string[]) => void, by = log): Files {
  const entries = bodies(SIZE)
  change(entries)
  return makeLog(entries, by)
}

/** The same entries and tiles as `files`, under the checkpoint that was really signed. */
function underSigned(files: Files): Files {
  return changed('checkpoint', checkpointOf(original), files)
}

const replacement = body('decision', { id: 'dec_x' })
const ENTRIES_0 = 'tile/entries/000'

test.each<[string, Files, string, string]>([
  ['an entry was changed', changed(ENTRIES_0, rewritten((e) => (e[7] = replacement)).get(ENTRIES_0)), 'ENTRY_CHANGED', 'entry 7'],
  [
    'two entries were swapped',
    changed(ENTRIES_0, rewritten((e) => ([e[3], e[4]] = [e[4] as string, e[3] as string])).get(ENTRIES_0)),
    'ENTRY_CHANGED',
    'entry 3',
  ],
  ['a tile was changed', flip(original, 'tile/0/000', 32 * 9), 'TILE_CHANGED', 'tile/0/000'],
  ['a tile of the upper level was changed', flip(original, 'tile/1/000.p/2', 0), 'TILE_CHANGED', 'tile/1/000.p/2'],
  ['a tile was cut', changed('tile/0/000', new Uint8Array(32)), 'TILE_CHANGED', 'tile/0/000'],
  ['a tile is missing', changed('tile/1/000.p/2', undefined), 'TILE_MISSING', 'tile/1/000.p/2'],
  ['entries and tiles were rewritten together', underSigned(rewritten((e) => (e[7] = replacement))), 'ROOT_MISMATCH', 'checkpoint'],
  ['the last file of entries is missing', changed('tile/entries/002.p/88', undefined), 'ENTRIES_MISSING', 'tile/entries/002.p/88'],
  ['the last entries are missing', changed('tile/entries/002.p/88', new Uint8Array()), 'ENTRIES_MISSING', 'tile/entries/002.p/88'],
  ['entries were added', changed('tile/entries/002.p/88', original.get(ENTRIES_0)), 'BUNDLE_INVALID', 'tile/entries/002.p/88'],
  ['a file of entries ends inside one', changed(ENTRIES_0, Uint8Array.of(0, 9, 1)), 'BUNDLE_INVALID', ENTRIES_0],
  ['the checkpoint is missing', changed('checkpoint', undefined), 'CHECKPOINT_MISSING', 'checkpoint'],
  ['the checkpoint is something else', changed('checkpoint', utf8('hello')), 'CHECKPOINT_INVALID', 'checkpoint'],
  ['another key signed it', rewritten(() => undefined, forger), 'SIGNATURE_INVALID', 'checkpoint'],
  ['an entry is not JSON', rewritten((e) => (e[8] = 'no')), 'ENTRY_INVALID', 'entry 8'],
  ['an entry is not canonical', rewritten((e) => (e[8] = '{"v":1, "type":"x"}')), 'ENTRY_INVALID', 'entry 8'],
  ['an entry is not an object', rewritten((e) => (e[8] = '[]')), 'ENTRY_INVALID', 'entry 8'],
  ['an entry has another version', rewritten((e) => (e[8] = body('x', { v: 2 }))), 'ENTRY_INVALID', 'entry 8'],
  ['an entry has no type', rewritten((e) => (e[8] = body('x', { type: '' }))), 'ENTRY_INVALID', 'entry 8'],
  ['an entry has no time', rewritten((e) => (e[8] = body('x', { at: 'today' }))), 'ENTRY_INVALID', 'entry 8'],
  ['an entry has no tenant', rewritten((e) => (e[8] = body('x', { tenant: 1 }))), 'ENTRY_INVALID', 'entry 8'],
  ['an id is no text', rewritten((e) => (e[8] = body('x', { id: 8 }))), 'ENTRY_INVALID', 'entry 8'],
  [
    'a commitment is malformed',
    rewritten((e) => (e[8] = body('x', { commitments: { input: { sha256: 'x' } } }))),
    'ENTRY_INVALID',
    'entry 8',
  ],
  ['an id stands twice', rewritten((e) => (e[8] = body('decision', { id: 'dec_0' }))), 'ID_REPEATED', 'entry 8'],
  ['an outcome comes before its decision', rewritten((e) => ([e[0], e[1]] = [e[1] as string, e[0] as string])), 'LINK_INVALID', 'entry 0'],
  ['an outcome names no decision', rewritten((e) => (e[1] = body('outcome'))), 'LINK_INVALID', 'entry 1'],
  [
    'an outcome names two decisions',
    rewritten((e) => (e[3] = body('outcome', { id: 'dec_1/outcome', decision: 'dec_0' }))),
    'LINK_INVALID',
    'entry 3',
  ],
])('when %s, the verdict says so and where', async (_, files, fault, where) => {
  await expect(verify(files)).resolves.toMatchObject({ ok: false, fault, where })
})

test('an entry and its tile changed together are found by the root, in an auditor’s words', async () => {
  const forged = rewritten((e) => (e[7] = replacement))
  const files = changed('tile/0/000', forged.get('tile/0/000'), changed(ENTRIES_0, forged.get(ENTRIES_0)))
  await expect(verify(files)).resolves.toMatchObject({ ok: false, fault: 'ROOT_MISMATCH' })
  const both = flip(changed(ENTRIES_0, forged.get(ENTRIES_0)), 'tile/0/000', 32 * 100)
  const verdict = await verify(both)
  expect(verdict).toMatchObject({ ok: false, fault: 'ENTRY_CHANGED', where: 'entry 7' })
  expect(verdict).toHaveProperty('detail', expect.stringContaining('changed as well'))
})

test('a checkpoint kept from before finds what the log alone can’t show', async () => {
  const kept = checkpointOf(original)
  const shorter = makeLog(bodies(590), log)
  await expect(verify(shorter)).resolves.toMatchObject({ ok: true })
  await expect(verify(shorter, kept)).resolves.toMatchObject({ ok: false, fault: 'ROLLED_BACK' })

  const forked = makeLog([...bodies(598), body('x'), body('y'), body('z')], log)
  await expect(verify(forked)).resolves.toMatchObject({ ok: true })
  await expect(verify(forked, kept)).resolves.toMatchObject({ ok: false, fault: 'FORKED', where: 'entries 0 to 599' })

  const other = makeLog(bodies(2), testKey('example.com/other', 1))
  await expect(verify(original, checkpointOf(other))).resolves.toMatchObject({ ok: false, fault: 'REPLACED' })
  await expect(verify(original, checkpointOf(rewritten(() => undefined, forger)))).resolves.toMatchObject({ ok: false, fault: 'REPLACED' })
  await expect(verify(original, utf8('hello'))).resolves.toMatchObject({ ok: false, fault: 'EARLIER_INVALID' })
})

test('a key that can’t be read is a verdict, a source that can’t be read is not', async () => {
  const read = (path: string) => Promise.resolve(original.get(path))
  await expect(verifyLog({ read }, { vkey: 'nonsense' })).resolves.toMatchObject({ ok: false, fault: 'KEY_INVALID' })
  const broken = { read: () => Promise.reject(new Error('the disk is on fire')) }
  await expect(verifyLog(broken, { vkey: formatVerifierKey(log.key) })).rejects.toThrow('on fire')
})
