/** The vault: what goes in is used and never shown, and what is tampered with opens nothing. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PersonPrincipal } from '@ephor/contract'
import { loadKeys, makeLog, sendFault, systemClock } from '@ephor/engine/kernel'
import { alterStore, openTestStore, readStored, tamperColumns } from '@ephor/engine/kernel/testing'
import { checkProjections, fileSigner, ledgerExtension, ledgerMigrations, openLedger } from '@ephor/engine/ledger'
import fastify from 'fastify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { mountVault, openVault, vaultMigrations } from './index.ts'

const PERSON = 'per_01jd0000000000000000000000'
const VALUE = 'correct-horse-battery-staple'

let folder: string
let world: Awaited<ReturnType<typeof open>>

async function open() {
  const keys = loadKeys(join(folder, 'keys'))
  const outside = join(folder, 'checkpoint')
  const extension = ledgerExtension({ outside })
  const store = await openTestStore({ folder, migrations: [ledgerMigrations, vaultMigrations], extension })
  const ledger = await openLedger({
    store,
    keys,
    signer: fileSigner(keys.ledger),
    origin: 'ephor.test/log',
    clock: systemClock,
    log: makeLog('silent'),
    outside,
  })
  const vault = await openVault({ store, ledger, clock: systemClock, kek: keys.kek })
  const close = () => ledger.close().then(() => store.close())
  return { vault, ledger, store, close }
}

async function restart(sql: string): Promise<void> {
  await world.close()
  await alterStore(folder, sql)
  world = await open()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ephor-vault-'))
  world = await open()
})
afterEach(async () => {
  await world.close()
  rmSync(folder, { recursive: true })
})

test('a secret is used by its reference, replaced, and gone when it is removed', async () => {
  expect(await world.vault.put('github.TOKEN', 'first', PERSON)).toMatchObject({ name: 'github.TOKEN', version: 1 })
  await Promise.all([world.vault.put('github.TOKEN', 'second', PERSON), world.vault.put('github.TOKEN', VALUE, PERSON)])
  expect(world.vault.resolve('secret:github.TOKEN')).toBe(VALUE)
  expect(world.vault.resolve('plain text')).toBe('plain text')
  await restart('SELECT 1')
  expect(world.vault.resolve('secret:github.TOKEN')).toBe(VALUE)
  expect(world.vault.list()).toMatchObject([{ name: 'github.TOKEN', version: 3 }])
  await world.vault.remove('github.TOKEN', PERSON)
  expect(() => world.vault.resolve('secret:github.TOKEN')).toThrow('no secret is stored as github.TOKEN')
  expect(world.vault.list()).toEqual([])
  await expect(world.vault.remove('github.TOKEN', PERSON)).rejects.toMatchObject({ code: 'SECRET_UNKNOWN' })
  expect(await world.vault.put('github.TOKEN', VALUE, PERSON)).toMatchObject({ version: 4 })
})

test('each change is in the ledger by name and version; the value is in no file of the installation', async () => {
  await world.vault.put('a', VALUE, PERSON)
  await world.vault.remove('a', PERSON)
  const bodies = (await world.ledger.list({ limit: 10 })).map(({ body }) => body)
  expect(bodies).toMatchObject([
    { type: 'secret.stored', secret: 'a', version: 1, by: PERSON },
    { type: 'secret.removed', secret: 'a', version: 1, by: PERSON },
  ])
  expect(await readStored(folder)).not.toContain(VALUE)
})

test('a sealed value moved to another name, or put back from an older version, opens nothing and says no value', async () => {
  await world.vault.put('mine', VALUE, PERSON)
  await world.vault.put('theirs', 'other', PERSON)
  await restart("UPDATE vault_secret SET sealed = (SELECT sealed FROM vault_secret WHERE name = 'mine') WHERE name = 'theirs'")
  expect(() => world.vault.resolve('secret:theirs')).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }))
  await restart("UPDATE vault_secret SET version = 2 WHERE name = 'mine'")
  expect(() => world.vault.resolve('secret:mine')).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }))
})

test('a whole older row that is put back opens nothing, nor does one that was removed', async () => {
  await world.vault.put('replaced', 'first', PERSON)
  await world.vault.put('removed', 'first', PERSON)
  await restart('CREATE TABLE kept AS SELECT * FROM vault_secret')
  await world.vault.put('replaced', VALUE, PERSON)
  await world.vault.remove('removed', PERSON)
  await restart('DELETE FROM vault_secret; INSERT INTO vault_secret SELECT * FROM kept')
  for (const name of ['replaced', 'removed'])
    expect(() => world.vault.resolve(`secret:${name}`)).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }))
})

test.each(['', '../x', 'a b', 'a'.repeat(129), 'ключ'])('a secret cannot be called %j', async (name) => {
  await expect(world.vault.put(name, VALUE, PERSON)).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
})

test('over HTTP, people store and name secrets, agents do nothing, and no answer holds a value', async () => {
  const app = fastify()
  app.setErrorHandler((error, _, reply) => sendFault(reply, error))
  const person: PersonPrincipal = { kind: 'person', id: PERSON, session: 'ses_x' }
  mountVault(app, world.vault, (request) =>
    Promise.resolve(request.headers.authorization === 'agent' ? { kind: 'agent', id: 'agt_x', credential: 'crd_x' } : person),
  )
  const answers = [
    await app.inject({ method: 'PUT', url: '/v1/vault/github.TOKEN', body: { value: VALUE } }),
    await app.inject({ method: 'GET', url: '/v1/vault' }),
    await app.inject({ method: 'PUT', url: '/v1/vault/github.TOKEN', body: { value: 7 } }),
    await app.inject({ method: 'DELETE', url: '/v1/vault/github.TOKEN' }),
    await app.inject({ method: 'DELETE', url: '/v1/vault/github.TOKEN' }),
    await app.inject({ method: 'GET', url: '/v1/vault', headers: { authorization: 'agent' } }),
  ]
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 400, 200, 422, 403])
  expect(answers[1]?.json()).toMatchObject({ items: [{ name: 'github.TOKEN', version: 1 }] })
  expect(answers.map(({ body }) => body).join()).not.toContain(VALUE)
})

test('whatever is changed, added or removed in its table is found, with the column', async () => {
  const check = async () => (await checkProjections(world.ledger, [world.vault.projector()])).differences
  await world.vault.put('kept', 'first', PERSON)
  await world.vault.put('kept', VALUE, PERSON)
  await world.vault.put('gone', VALUE, PERSON)
  await world.vault.remove('gone', PERSON)
  const table = 'vault_secret'
  expect(await check()).toEqual([])
  for (const [name, values] of [
    ['kept', {}],
    ['gone', { sealed: Buffer.from('x') }],
  ] as const)
    await tamperColumns(world.store, { table, key: { name }, values }, async (field) => {
      const missing = { table, key: name, detail: 'the ledger has it and the row is missing' }
      expect(await check()).toEqual([
        field === '' ? missing : { table, key: name, field, detail: `its ${field} is not what the ledger says` },
      ])
    })
  const sql = `INSERT INTO vault_secret (tenant, name, version, stored_at) VALUES (@tenant, 'x', 1, 1)`
  await world.store.commit({ changes: [{ sql, params: [] }] })
  expect(await check()).toEqual([{ table, key: 'x', detail: 'the row is there and the ledger has no entry for it' }])
})
