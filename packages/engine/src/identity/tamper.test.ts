/** Attacks on identity's tables by somebody who can write the database: all of them are found, and none of them opens anything. */
import { alterStore, tamperColumns } from '@ephor/engine/kernel/testing'
import { checkProjections } from '@ephor/engine/ledger'
import { canonicalize, leafHash, utf8 } from '@ephor/proof'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { adoptRows } from './adopt.ts'
import { hashSecret } from './secrets.ts'
import { faultOf, openWorld, READER, WRITER } from './test-world.ts'
import type { World } from './test-world.ts'

const JWK = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
const check = (world: World) => checkProjections(world.ledger, [world.identity.projector()])

describe('of a row that somebody changed, the check names table, key and column', () => {
  let world: World
  const ids: Record<string, string> = {}
  beforeAll(async () => {
    world = await openWorld()
    const { identity } = world
    const by = identity.operator
    ids['person'] = by
    ids['secret'] = (await identity.issueCredential(READER, by, { onBehalfOf: by })).id
    await identity.rotateCredential(ids['secret'], by)
    ids['key'] = (await identity.registerKey(WRITER, JWK, by)).id
    ids['revoked'] = (await identity.issueCredential(READER, by)).id
    await identity.revokeCredential(ids['revoked'], by)
    ids['link'] = (await identity.createLink(by)).id
    const { id, code } = await identity.createLink(by)
    ids['spent'] = id
    ids['session'] = (await identity.openSession(code)).session.id
    ids['closed'] = (await identity.openSession((await identity.createLink(by)).code)).session.id
    await identity.closeSession(ids['closed'], by)
  })
  afterAll(() => world.end())

  test.each([
    ['identity_person', 'person', { groups: '["admins"]' }],
    ['identity_credential', 'secret', {}],
    ['identity_credential', 'key', {}],
    ['identity_credential', 'revoked', { state: 'active' }],
    ['identity_link', 'link', {}],
    ['identity_link', 'spent', { spent_at: null }],
    ['identity_session', 'session', {}],
    ['identity_session', 'closed', { closed_at: null }],
  ])('%s, the %s one', async (table, which, values) => {
    const key = ids[which] ?? ''
    expect((await check(world)).differences).toEqual([])
    let columns = 0
    await tamperColumns(world.store, { table, key: { id: key }, values }, async (column) => {
      columns++
      const field = column === 'salt' ? 'name' : column
      expect((await check(world)).differences, column).toEqual([
        column === ''
          ? { table, key, detail: 'the ledger has it and the row is missing' }
          : { table, key, field, detail: `its ${field} is not what the ledger says` },
      ])
    })
    expect(columns).toBeGreaterThan(5)
    expect(await check(world)).toMatchObject({ differences: [], uncovered: [] })
  })

  test.each([
    ['identity_person', 'id, name, groups, operator, added_at, version, salt', "'x', name, groups, 0, added_at, version, salt"],
    ['identity_credential', 'id, agent, kind, state, issued_at, version', "'x', agent, kind, state, issued_at, version"],
    ['identity_link', 'id, code_hash, person, expires_at, version', "'x', 'x', person, expires_at, 1"],
    [
      'identity_session',
      'id, secret_hash, person, opened_at, expires_at, version, link',
      "'x', 'x', person, opened_at, expires_at, 1, link",
    ],
  ])('%s has a row that nobody made', async (table, columns, values) => {
    const change = (sql: string) => world.store.commit({ changes: [{ sql, params: [] }] })
    await change(`INSERT INTO ${table} (tenant, ${columns}) SELECT tenant, ${values} FROM ${table} LIMIT 1`)
    expect((await check(world)).differences).toEqual([{ table, key: 'x', detail: 'the row is there and the ledger has no entry for it' }])
    await change(`DELETE FROM ${table} WHERE id = 'x'`)
  })
})

describe('what the ledger does not confirm does not act', () => {
  let world: World
  beforeEach(async () => {
    world = await openWorld()
  })
  afterEach(() => world.end())
  const adds = (by: string) => faultOf(Promise.try(() => world.identity.addPerson({ name: 'x' }, by)))
  const opens = (bearer: string) => faultOf(world.identity.identify(bearer))
  const refused = () => world.identity.refused().map(({ table, key }) => `${table} ${key}`)

  test('a credential that somebody inserted opens nothing, also when it imitates one from before or copies an honest row', async () => {
    const { identity } = world
    const honest = await identity.issueCredential(READER, identity.operator)
    const [mine, old] = [`eph_${'a'.repeat(43)}`, `eph_${'b'.repeat(43)}`]
    const insert = (id: string, secret: string, version: number) =>
      `INSERT INTO identity_credential (tenant, id, agent, kind, state, secret_hash, issued_at, version)
       VALUES ('default', '${id}', '${WRITER}', 'secret', 'active', '${hashSecret(secret)}', 1, ${version})`
    await world.restart(async (folder) => {
      await alterStore(folder, insert('crd_mine', mine, 1))
      await alterStore(folder, insert('crd_old', old, 0))
    })
    expect([await opens(mine), await opens(old), await opens(honest.secret)]).toEqual(['UNAUTHENTICATED', 'UNAUTHENTICATED', 'none'])
    expect(refused()).toEqual(['identity_credential crd_mine', 'identity_credential crd_old'])
    expect((await check(world)).differences.map(({ key }) => key)).toEqual(['crd_mine', 'crd_old'])
  })

  test('a revoked credential that is made active again opens nothing, neither as it was nor as its last version', async () => {
    const { identity } = world
    const { id, secret } = await identity.issueCredential(READER, identity.operator)
    await identity.revokeCredential(id, identity.operator)
    expect(await opens(secret)).toBe('CREDENTIAL_REVOKED')
    await world.restart((folder) => alterStore(folder, "UPDATE identity_credential SET state = 'active'"))
    expect(await opens(secret)).toBe('UNAUTHENTICATED')
    // The very row that the ledger confirmed before the revocation.
    await world.restart((folder) => alterStore(folder, 'UPDATE identity_credential SET revoked_at = NULL, version = 1'))
    expect(await opens(secret)).toBe('UNAUTHENTICATED')
    expect(refused()).toEqual([`identity_credential ${id}`])
  })

  test('a rotated-out secret put back, and a credential handed to another agent or person, open nothing', async () => {
    const { identity } = world
    const { id, secret } = await identity.issueCredential(READER, identity.operator)
    const rotated = await identity.rotateCredential(id, identity.operator)
    const moved = await identity.issueCredential(READER, identity.operator)
    const freed = await identity.issueCredential(READER, identity.operator, { onBehalfOf: identity.operator })
    await world.restart(async (folder) => {
      const old = `secret_hash = '${hashSecret(secret)}', rotated_at = NULL, version = 1`
      await alterStore(folder, `UPDATE identity_credential SET ${old} WHERE id = '${id}'`)
      await alterStore(folder, `UPDATE identity_credential SET agent = '${WRITER}' WHERE id = '${moved.id}'`)
      await alterStore(folder, `UPDATE identity_credential SET on_behalf_of = NULL WHERE id = '${freed.id}'`)
    })
    for (const bearer of [secret, rotated.secret, moved.secret, freed.secret]) expect(await opens(bearer)).toBe('UNAUTHENTICATED')
  })

  test('a session moved to another person, reopened, or made from nothing opens nothing', async () => {
    const { identity } = world
    const mallory = await identity.addPerson({ name: 'Mallory' }, identity.operator)
    const open = async (person: string) => identity.openSession((await identity.createLink(identity.operator, person)).code)
    const [moved, closed, fine] = [await open(mallory.id), await open(mallory.id), await open(mallory.id)]
    await identity.closeSession(closed.session.id, mallory.id)
    const made = `eps_${'a'.repeat(43)}`
    await world.restart(async (folder) => {
      await alterStore(folder, `UPDATE identity_session SET person = '${identity.operator}' WHERE id = '${moved.session.id}'`)
      await alterStore(folder, `UPDATE identity_session SET closed_at = NULL, version = 1 WHERE id = '${closed.session.id}'`)
      await alterStore(
        folder,
        `INSERT INTO identity_session (tenant, id, secret_hash, person, opened_at, expires_at, version, link)
         SELECT tenant, 'ses_made', '${hashSecret(made)}', '${identity.operator}', opened_at, expires_at, 1, link
         FROM identity_session WHERE id = '${fine.session.id}'`,
      )
    })
    for (const bearer of [moved.secret, closed.secret, made]) expect(await opens(bearer)).toBe('UNAUTHENTICATED')
    expect(await opens(fine.secret)).toBe('none')
    expect(refused().toSorted()).toEqual([closed.session.id, moved.session.id, 'ses_made'].map((id) => `identity_session ${id}`).toSorted())
  })

  test('a link that is used again, moved, or made from nothing opens no session', async () => {
    const { identity } = world
    const mallory = await identity.addPerson({ name: 'Mallory' }, identity.operator)
    const used = await identity.createLink(identity.operator)
    await identity.openSession(used.code)
    const moved = await identity.createLink(mallory.id)
    const made = `epl_${'a'.repeat(43)}`
    await world.restart(async (folder) => {
      await alterStore(folder, `UPDATE identity_link SET spent_at = NULL, version = 1 WHERE id = '${used.id}'`)
      await alterStore(folder, `UPDATE identity_link SET person = '${identity.operator}' WHERE id = '${moved.id}'`)
      await alterStore(
        folder,
        `INSERT INTO identity_link (tenant, id, code_hash, person, expires_at, version)
         VALUES ('default', 'lnk_x', '${hashSecret(made)}', '${identity.operator}', 9999999999999, 1)`,
      )
    })
    for (const code of [used.code, moved.code, made]) expect(await faultOf(world.identity.openSession(code))).toBe('LINK_SPENT')
  })

  test('a person who was made operator, put into a group or inserted has no part in anything; nor has the operator whose row was changed', async () => {
    const { identity } = world
    const mallory = await identity.addPerson({ name: 'Mallory' }, identity.operator)
    await world.restart((folder) => alterStore(folder, `UPDATE identity_person SET groups = '["admins"]' WHERE id = '${mallory.id}'`))
    expect(world.identity.person(mallory.id)).toBeUndefined()
    await world.restart(async (folder) => {
      await alterStore(folder, `UPDATE identity_person SET groups = '[]' WHERE id = '${mallory.id}'`)
      await alterStore(
        folder,
        `INSERT INTO identity_person (tenant, id, name, groups, operator, added_at, version, salt)
         VALUES ('default', 'per_x', 'x', '["admins"]', 0, 1, 1, 'x')`,
      )
    })
    expect(world.identity.person(mallory.id)).toMatchObject({ groups: [] })
    expect(world.identity.person('per_x')).toBeUndefined()
    await world.restart(async (folder) => {
      await alterStore(folder, 'UPDATE identity_person SET operator = 0')
      await alterStore(folder, `UPDATE identity_person SET operator = 1 WHERE id = '${mallory.id}'`)
    })
    expect(world.identity.operator).toBe(identity.operator)
    expect(world.identity.people()).toEqual([])
    expect(await adds(mallory.id)).toBe('FORBIDDEN')
    expect(await adds(identity.operator)).toBe('FORBIDDEN')
    // Without any person, no second first one is made.
    await world.restart((folder) => alterStore(folder, 'DELETE FROM identity_person'))
    expect([world.identity.operator, world.identity.people()]).toEqual([identity.operator, []])
  })

  test.each([false, true])(
    'an entry that was rewritten with its hash to fit a changed row confirms nothing (its tile too: %s)',
    async (tileToo) => {
      const { identity } = world
      // What is at the end of the ledger is looked at when it is opened: this one is further back.
      const noise = { changes: [], entries: Array.from({ length: 300 }, () => ({ type: 'noise', body: {} })) }
      await world.ledger.append(noise)
      const { id, secret } = await identity.issueCredential(READER, identity.operator)
      await world.ledger.append(noise)
      const entry = (await world.ledger.find(`credential/${id}/1`))!
      await world.ledger.head()
      const tile = (await world.ledger.file('tile/0/001'))!
      const body = canonicalize(JSON.parse(JSON.stringify(entry.body).replaceAll(READER, WRITER)))
      const hash = leafHash(utf8(body))
      await world.restart(async (folder) => {
        await alterStore(folder, 'UPDATE identity_credential SET agent = ? WHERE id = ?', [WRITER, id])
        await alterStore(folder, 'UPDATE ledger_entry SET body = ?, leaf_hash = ? WHERE seq = ?', [body, hash, entry.seq])
        const forged = Buffer.from(tile)
        forged.set(hash, (entry.seq % 256) * 32)
        if (tileToo) await alterStore(folder, 'UPDATE ledger_tile SET hashes = ? WHERE level = 0 AND n = 1', [forged])
      })
      expect(await opens(secret)).toBe('UNAUTHENTICATED')
      expect(refused()).toContain(`identity_credential ${id}`)
    },
  )

  test('what is changed while it runs is found when the table is followed, and its own writes stay good', async () => {
    const { identity } = world
    const { id, secret } = await identity.issueCredential(READER, identity.operator)
    const revoked = await identity.issueCredential(READER, identity.operator)
    await identity.revokeCredential(revoked.id, identity.operator)
    const entry = (await world.ledger.find(`credential/${id}/1`))!
    await identity.follow(entry)
    expect([await opens(secret), refused()]).toEqual(['none', []])
    const sql = `UPDATE identity_credential SET state = 'active', revoked_at = NULL, version = 1 WHERE id = '${revoked.id}'`
    await world.store.commit({ changes: [{ sql, params: [] }] })
    await identity.follow(entry)
    expect([await opens(revoked.secret), refused()]).toEqual(['UNAUTHENTICATED', [`identity_credential ${revoked.id}`]])
  })
})

test('rows from before entries had rows in them go on acting, are listed as not covered, and are taken over once', async () => {
  const secrets = [`eph_${'o'.repeat(43)}`, `eph_${'x'.repeat(43)}`]
  const world = await openWorld(undefined, async (store, ledger) => {
    const credential = (id: string, secret: string) => ({
      sql: `INSERT INTO identity_credential (tenant, id, agent, kind, state, secret_hash, issued_at) VALUES (@tenant, ?, ?, 'secret', 'active', ?, 1)`,
      params: [id, READER, hashSecret(secret)],
    })
    const person = `INSERT INTO identity_person (tenant, id, name, groups, operator, added_at) VALUES (@tenant, 'per_old', 'Old', '[]', 1, 1)`
    await ledger.append({
      changes: [{ sql: person, params: [] }, credential('crd_old', secrets[0] ?? '')],
      entries: [
        { type: 'person.added', body: { person: 'per_old', groups: [], operator: true, by: 'system' } },
        { type: 'credential.issued', body: { credential: 'crd_old', agent: READER, by: 'per_old' } },
      ],
    })
    await store.commit({ changes: [credential('crd_forged', secrets[1] ?? '')] })
  })
  expect(world.identity.operator).toBe('per_old')
  expect(await faultOf(world.identity.identify(secrets[0] ?? ''))).toBe('none')
  const { differences, uncovered } = await check(world)
  expect(uncovered.map(({ key }) => key).toSorted()).toEqual(['crd_old', 'per_old'])
  // One that somebody had inserted before is not taken over.
  expect(differences.map(({ key }) => key)).toEqual(['crd_forged'])
  expect(await faultOf(world.identity.identify(secrets[1] ?? ''))).toBe('UNAUTHENTICATED')
  await world.restart((folder) => alterStore(folder, "UPDATE identity_credential SET version = 0 WHERE id = 'crd_old'"))
  expect(await faultOf(world.identity.identify(secrets[0] ?? ''))).toBe('UNAUTHENTICATED')
  // Without the entry that ended it, rows would be taken over once more.
  await world.ledger.append({ changes: [], entries: Array.from({ length: 300 }, () => ({ type: 'noise', body: {} })) })
  await world.store.commit({ changes: [{ sql: "DELETE FROM ledger_entry WHERE id = 'identity/operator'", params: [] }] })
  expect(await faultOf(adoptRows(world))).toBe('STORE_CORRUPT')
  await world.end()
})
