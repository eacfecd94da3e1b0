/** The extension itself, called as the store's thread calls it. */
import { generateKeyPairSync, sign as signEd25519 } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalize, makeVerifierKey, readCheckpoint, signCheckpoint, toHex } from '@ephor/proof'
import Database from 'better-sqlite3'
import { beforeEach, expect, test } from 'vitest'
import { scratch } from './ledger.fixture.ts'
import { install } from './ledger-thread.ts'
import type { Appended, Prepared } from './ledger-thread.ts'
import type { CheckpointRow } from './store.ts'
import { fileSigner } from './signers/file-signer.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const signer = fileSigner(privateKey)
const key = makeVerifierKey('ledger.test/thread', signer.publicKey)
const sign = (bytes: Uint8Array) => signEd25519(null, bytes, privateKey)

let db: Database.Database
let outside: string

beforeEach(() => {
  db = new Database(':memory:')
  db.exec(readFileSync(new URL('./migrations/0001-ledger.sql', import.meta.url), 'utf8'))
  outside = join(scratch(), 'checkpoint')
})

function start() {
  const ledger = install(db, { outside }, 'default')
  const prepare = () => ledger.call('prepare', { nextKeyChange: 'none' }) as Prepared
  const integrate = () => {
    const { stored, ...tree } = prepare()
    if (stored?.size === tree.size) return stored
    return ledger.call('publish', { note: signCheckpoint(tree, key, sign) }) as CheckpointRow
  }
  const append = (...ids: string[]) =>
    ledger.apply({
      keys: [{ subject: 'agt_1', sealed: Uint8Array.of(1) }],
      entries: ids.map((id) => ({
        id,
        body: canonicalize({ id }),
        payloads: [{ name: 'input', subject: 'agt_1', sealed: Uint8Array.of(2) }],
      })),
    }) as Appended[]
  const commit = (...ids: string[]) => {
    ledger.begin()
    const appended = append(...ids)
    ledger.committed()
    return appended
  }
  const open = () => {
    ledger.call('open', undefined)
    return integrate()
  }
  return { ledger, prepare, integrate, append, commit, open }
}

test('nothing is written, and nothing signed, before the store was compared and opened', () => {
  const { ledger, append, integrate } = start()
  ledger.begin()
  expect(() => append('a')).toThrow('not open')
  expect(integrate).toThrow('not open')
  expect(() => ledger.call('other', undefined)).toThrow('no other')
})

test('a unit that fails gives its places to the next one, and a transaction that fails all of them', () => {
  const { ledger, open, append, commit, integrate } = start()
  open()
  expect(commit('a').map(({ seq }) => seq)).toEqual([0])
  ledger.begin()
  db.exec('BEGIN; SAVEPOINT unit')
  expect(() => append('b', 'a')).toThrow('UNIQUE')
  db.exec('ROLLBACK TO unit')
  expect(append('c').map(({ seq }) => seq)).toEqual([1])
  db.exec('ROLLBACK')
  expect(commit('d', 'e').map(({ seq }) => seq)).toEqual([1, 2])
  expect(integrate().size).toBe(3)
})

test('the tree goes on after a restart, signed or not, and has the same root as without one', () => {
  const one = start()
  one.open()
  one.commit(...Array.from({ length: 600 }, (_, i) => `x${i}`))
  one.integrate()
  one.commit('late', 'later')
  const two = start()
  expect(two.open().size).toBe(602)
  expect(two.open().note).toBe(one.integrate().note)
  two.commit('last')
  one.commit()
  expect(toHex(readCheckpoint(two.integrate().note).root)).not.toBe(toHex(readCheckpoint(one.integrate().note).root))
})

test('a size below the last signed one is never signed', () => {
  const old = start()
  old.open()
  const { open, commit, integrate } = start()
  open()
  commit('a', 'b')
  integrate()
  old.ledger.begin()
  // An older process that does not know of the later entries has nothing that it may sign.
  db.exec('DELETE FROM ledger_payload; DELETE FROM ledger_entry')
  old.append('c')
  old.ledger.committed()
  expect(() => old.integrate()).toThrow('already signed')
})

test.each([
  ['its checkpoint is gone', 'DELETE FROM ledger_checkpoint', 'no checkpoint'],
  ['its checkpoint says another size than its row', 'UPDATE ledger_checkpoint SET size = 299', 'does not fit'],
  ['a tile is gone', 'DELETE FROM ledger_tile WHERE level = 1', 'missing or cut'],
  ['a tile was changed', 'UPDATE ledger_tile SET hashes = zeroblob(length(hashes)) WHERE n = 1', 'root that was signed'],
  ['an entry of the tail is gone', 'DELETE FROM ledger_entry WHERE seq = 270', 'entry 270 is missing'],
  ['the last entry is gone', 'DELETE FROM ledger_entry WHERE seq = 299', 'covers 300 entries'],
  ['an entry of the tail was changed', "UPDATE ledger_entry SET body = '{}' WHERE seq = 280", 'entry 280 was changed'],
])('a store does not open when %s', (_, sql, detail) => {
  const { open, commit, integrate } = start()
  open()
  commit(...Array.from({ length: 300 }, (_, i) => `x${i}`))
  integrate()
  db.exec(sql)
  expect(() => start().open()).toThrow(detail)
})
