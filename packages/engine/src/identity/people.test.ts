/** Credentials of agents, and people with their links and sessions: used once, revoked at once, ended in time, all recorded. */
import { generateKeyPairSync } from 'node:crypto'
import { readStored } from '@ephor/engine/kernel/testing'
import { exportJWK } from 'jose'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { entryTypes, faultOf, openWorld, READER, WRITER } from './test-world.ts'
import type { World } from './test-world.ts'

let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.end())

const HOUR = 3_600_000

describe('a local credential', () => {
  test('proves its agent, and has 256 random bits behind a prefix that scanners find', async () => {
    const { id, secret } = await world.identity.issueCredential(READER, world.identity.operator)
    expect(secret).toMatch(/^eph_[0-9A-Za-z]{43}$/)
    expect(await world.identity.identify(secret)).toEqual({ kind: 'agent', id: READER, credential: id })
    await world.restart()
    expect(await world.identity.identify(secret)).toMatchObject({ id: READER })
  })

  test('that is wrong by one character opens nothing', async () => {
    const { secret } = await world.identity.issueCredential(READER, world.identity.operator)
    const last = secret.endsWith('a') ? 'b' : 'a'
    expect(await faultOf(world.identity.identify(secret.slice(0, -1) + last))).toBe('UNAUTHENTICATED')
    expect(await faultOf(world.identity.identify(secret.slice(0, -1)))).toBe('UNAUTHENTICATED')
    expect(await faultOf(world.identity.identify('eph_'))).toBe('UNAUTHENTICATED')
  })

  test('that was revoked opens nothing, ever', async () => {
    const { id, secret } = await world.identity.issueCredential(READER, world.identity.operator)
    await world.identity.identify(secret)
    expect(await world.identity.revokeCredential(id, world.identity.operator)).toMatchObject({ id, state: 'revoked' })
    expect(await faultOf(world.identity.identify(secret))).toBe('CREDENTIAL_REVOKED')
    await world.restart()
    expect(await faultOf(world.identity.identify(secret))).toBe('CREDENTIAL_REVOKED')
    expect(await faultOf(world.identity.revokeCredential(id, world.identity.operator))).toBe('CONFLICT')
    expect(await faultOf(world.identity.rotateCredential(id, world.identity.operator))).toBe('CREDENTIAL_REVOKED')
  })

  test('stays the same credential when it is rotated, and the old secret dies', async () => {
    const { id, secret } = await world.identity.issueCredential(READER, world.identity.operator)
    const rotated = await world.identity.rotateCredential(id, world.identity.operator)
    expect(await faultOf(world.identity.identify(secret))).toBe('UNAUTHENTICATED')
    expect(await world.identity.identify(rotated.secret)).toMatchObject({ credential: id })
    await world.restart()
    expect(await faultOf(world.identity.identify(secret))).toBe('UNAUTHENTICATED')
    expect(await world.identity.identify(rotated.secret)).toMatchObject({ credential: id })
  })

  test('that is rotated twice at once has one new secret', async () => {
    const { id } = await world.identity.issueCredential(READER, world.identity.operator)
    const rotate = () => faultOf(world.identity.rotateCredential(id, world.identity.operator))
    expect((await Promise.all([rotate(), rotate()])).toSorted()).toEqual(['CONFLICT', 'none'])
  })

  test('bound to a person says for whom its agent acts', async () => {
    const alice = await world.identity.addPerson({ name: 'Alice' }, world.identity.operator)
    const { secret } = await world.identity.issueCredential(READER, world.identity.operator, { onBehalfOf: alice.id })
    expect(await world.identity.identify(secret)).toMatchObject({ onBehalfOf: alice.id })
    expect(await faultOf(world.identity.issueCredential(READER, world.identity.operator, { onBehalfOf: 'per_0' }))).toBe('NOT_FOUND')
  })

  test('is issued to registered agents alone', async () => {
    expect(await faultOf(world.identity.issueCredential('agt_unknown', world.identity.operator))).toBe('AGENT_UNKNOWN')
    expect(await faultOf(world.identity.revokeCredential('crd_0', world.identity.operator))).toBe('NOT_FOUND')
  })

  test('is listed by its id, without anything that checks or opens it', async () => {
    const { id } = await world.identity.issueCredential(READER, world.identity.operator)
    await world.identity.issueCredential(WRITER, world.identity.operator)
    expect(world.identity.credentials(READER)).toEqual([
      { id, agent: READER, kind: 'secret', state: 'active', issuedAt: world.clock.now() },
    ])
  })
})

describe('an agent key', () => {
  test('is a public Ed25519 key and nothing else', async () => {
    const by = world.identity.operator
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
    for (const jwk of [await exportJWK(privateKey), await exportJWK(p256), { kty: 'oct', k: 'AAAA' }, 'text', undefined])
      expect(await faultOf(world.identity.registerKey(READER, jwk, by))).toBe('REQUEST_INVALID')
    const registered = await world.identity.registerKey(READER, await exportJWK(publicKey), by)
    expect(registered).toMatchObject({ agent: READER, kind: 'key', state: 'active' })
    expect(await faultOf(world.identity.rotateCredential(registered.id, by))).toBe('REQUEST_INVALID')
  })

  test('belongs to one agent, and never comes back after it was revoked', async () => {
    const by = world.identity.operator
    const jwk = await exportJWK(generateKeyPairSync('ed25519').publicKey)
    const { id } = await world.identity.registerKey(READER, jwk, by)
    expect(await faultOf(world.identity.registerKey(WRITER, jwk, by))).toBe('CONFLICT')
    await world.identity.revokeCredential(id, by)
    expect(await faultOf(world.identity.registerKey(READER, jwk, by))).toBe('CONFLICT')
  })
})

describe('a sign-in link', () => {
  test('opens one session, whoever is faster', async () => {
    const { code } = await world.identity.createLink(world.identity.operator)
    expect(code).toMatch(/^epl_[0-9A-Za-z]{43}$/)
    const both = await Promise.all([faultOf(world.identity.openSession(code)), faultOf(world.identity.openSession(code))])
    expect(both.toSorted()).toEqual(['LINK_SPENT', 'none'])
    await world.restart()
    expect(await faultOf(world.identity.openSession(code))).toBe('LINK_SPENT')
    expect(world.identity.sessions(world.identity.operator)).toHaveLength(1)
  })

  test('is good for ten minutes', async () => {
    const { code } = await world.identity.createLink(world.identity.operator)
    world.clock.move(10 * 60_000)
    expect(await faultOf(world.identity.openSession(code))).toBe('LINK_SPENT')
    expect(await faultOf(world.identity.openSession('epl_unknown'))).toBe('LINK_SPENT')
  })

  test('for somebody else is made by the operator alone, or anyone could approve in another’s name', async () => {
    const { operator } = world.identity
    const [alice, bob] = [
      await world.identity.addPerson({ name: 'Alice' }, operator),
      await world.identity.addPerson({ name: 'Bob' }, operator),
    ]
    expect(await faultOf(world.identity.createLink(alice.id, bob.id))).toBe('FORBIDDEN')
    expect(await faultOf(world.identity.createLink(alice.id, operator))).toBe('FORBIDDEN')
    const { code } = await world.identity.createLink(operator, bob.id)
    const { secret } = await world.identity.openSession(code)
    expect(await world.identity.identify(secret)).toMatchObject({ kind: 'person', id: bob.id })
    expect((await world.identity.createLink(alice.id)).person).toBe(alice.id)
    expect(await faultOf(world.identity.createLink('per_0'))).toBe('NOT_FOUND')
  })
})

describe('a session', () => {
  async function signIn(person?: string) {
    const { code } = await world.identity.createLink(world.identity.operator, person)
    return world.identity.openSession(code)
  }

  test('proves its person until it is closed', async () => {
    const { session, secret, person } = await signIn()
    expect(secret).toMatch(/^eps_[0-9A-Za-z]{43}$/)
    expect(await world.identity.identify(secret)).toEqual({ kind: 'person', id: person.id, session: session.id })
    await world.identity.closeSession(session.id, person.id)
    expect(await faultOf(world.identity.identify(secret))).toBe('UNAUTHENTICATED')
    expect(await faultOf(world.identity.closeSession(session.id, person.id))).toBe('NOT_FOUND')
    await world.restart()
    expect(await faultOf(world.identity.identify(secret))).toBe('UNAUTHENTICATED')
  })

  test('ends after an hour without use', async () => {
    const { secret } = await signIn()
    world.clock.move(HOUR - 1)
    await world.identity.identify(secret)
    world.clock.move(HOUR - 1)
    await world.identity.identify(secret)
    world.clock.move(HOUR)
    expect(await faultOf(world.identity.identify(secret))).toBe('UNAUTHENTICATED')
    expect(world.identity.sessions(world.identity.operator)).toEqual([])
  })

  test('ends after twelve hours however busy it is', async () => {
    const { secret } = await signIn()
    for (let i = 0; i < 23; i++) {
      world.clock.move(HOUR / 2)
      await world.identity.identify(secret)
    }
    world.clock.move(HOUR / 2)
    expect(await faultOf(world.identity.identify(secret))).toBe('UNAUTHENTICATED')
  })

  test('survives a restart, but not a forgotten idle hour', async () => {
    const { secret } = await signIn()
    await world.restart()
    await world.identity.identify(secret)
    world.clock.move(HOUR)
    await world.restart()
    expect(await faultOf(world.identity.identify(secret))).toBe('UNAUTHENTICATED')
  })

  test('of somebody else is closed by the operator alone', async () => {
    const alice = await world.identity.addPerson({ name: 'Alice' }, world.identity.operator)
    const [mine, hers] = [await signIn(), await signIn(alice.id)]
    expect(await faultOf(world.identity.closeSession(mine.session.id, alice.id))).toBe('NOT_FOUND')
    await world.identity.closeSession(hers.session.id, world.identity.operator)
    expect(await faultOf(world.identity.identify(hers.secret))).toBe('UNAUTHENTICATED')
  })

  test('that ended is forgotten when the next one opens', async () => {
    await signIn()
    world.clock.move(2 * HOUR)
    await signIn()
    expect(world.identity.sessions(world.identity.operator)).toHaveLength(1)
  })
})

describe('people', () => {
  test('begin with one operator, made at the first start and never again', async () => {
    const { operator } = world.identity
    expect(world.identity.people()).toMatchObject([{ id: operator, operator: true }])
    await world.restart()
    expect(world.identity.operator).toBe(operator)
    expect(world.identity.people()).toHaveLength(1)
  })

  test('who are not the operator administer nothing, but may stop any agent', async () => {
    const { operator } = world.identity
    const alice = await world.identity.addPerson({ name: 'Alice', groups: ['finance', 'finance'] }, operator)
    expect(alice).toMatchObject({ groups: ['finance'], operator: false })
    const { id } = await world.identity.issueCredential(READER, operator)
    expect(await faultOf(world.identity.issueCredential(READER, alice.id))).toBe('FORBIDDEN')
    expect(await faultOf(world.identity.registerKey(READER, {}, alice.id))).toBe('FORBIDDEN')
    expect(await faultOf(world.identity.rotateCredential(id, alice.id))).toBe('FORBIDDEN')
    expect(await faultOf(world.identity.setGroups(alice.id, ['board'], alice.id))).toBe('FORBIDDEN')
    expect(await faultOf((async () => world.identity.addPerson({ name: 'Mallory' }, alice.id))())).toBe('FORBIDDEN')
    expect(await faultOf(world.identity.revokeCredential(id, 'per_0'))).toBe('NOT_FOUND')
    await world.identity.revokeCredential(id, alice.id)
  })

  test('are put in groups, which last', async () => {
    const alice = await world.identity.addPerson({ name: 'Alice' }, world.identity.operator)
    await world.identity.setGroups(alice.id, ['board', 'board'], world.identity.operator)
    await world.restart()
    expect(world.identity.person(alice.id)?.groups).toEqual(['board'])
    expect(await faultOf(world.identity.setGroups('per_0', [], world.identity.operator))).toBe('NOT_FOUND')
  })
})

test('every change is a ledger entry that names people by opaque ids, and no secret is anywhere but in its answer', async () => {
  const { identity } = world
  const alice = await identity.addPerson({ name: 'Alice Liddell' }, identity.operator)
  await identity.setGroups(alice.id, ['finance'], identity.operator)
  const issued = await identity.issueCredential(READER, identity.operator)
  const rotated = await identity.rotateCredential(issued.id, identity.operator)
  await identity.revokeCredential(issued.id, identity.operator)
  await identity.registerKey(READER, await exportJWK(generateKeyPairSync('ed25519').publicKey), identity.operator)
  const link = await identity.createLink(identity.operator, alice.id)
  const { session, secret } = await identity.openSession(link.code)
  await identity.closeSession(session.id, alice.id)
  expect(await entryTypes(world.ledger)).toEqual([
    'person.added',
    'person.added',
    'person.changed',
    'credential.issued',
    'credential.rotated',
    'credential.revoked',
    'key.registered',
    'link.created',
    'session.opened',
    'session.closed',
  ])
  const bodies = JSON.stringify(await world.ledger.list({ limit: 100 }))
  expect(bodies).not.toContain('Liddell')
  await world.restart()
  const files = await readStored(world.folder)
  for (const text of [issued.secret, rotated.secret, link.code, secret]) {
    expect(bodies).not.toContain(text)
    expect(files).not.toContain(text)
    expect(files).not.toContain(text.slice(4))
  }
})

test('a change whose entry cannot be written does not happen', async () => {
  const { identity, ledger } = world
  const append = vi.spyOn(ledger, 'append').mockRejectedValue(new Error('the disk is full'))
  await expect(identity.issueCredential(READER, identity.operator)).rejects.toThrow('full')
  await expect(identity.addPerson({ name: 'Alice' }, identity.operator)).rejects.toThrow('full')
  append.mockRestore()
  expect(identity.credentials(READER)).toEqual([])
  expect(identity.people()).toHaveLength(1)
})
