/** Erasing whole: after it no file of the installation has the name, the tables are what the ledger says, and what was decided can be decided again. */
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkProjections } from '@ephor/engine/ledger'
import { freshDatabase, postgresAnswers } from '@ephor/engine/kernel/testing'
import { digestOfWorld } from '@ephor/engine/policy'
import { verifyLog } from '@ephor/proof'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { log, makeInstallation, newFolder } from '../backup/backup.fixture.ts'
import { makeBackup } from '../backup/make-backup.ts'
import { restoreBackup } from '../backup/restore-backup.ts'
import { openRooms } from '../compose.ts'
import type { Rooms } from '../compose.ts'
import { makeProjectors } from '../projections/make-projectors.ts'
import type { EffectiveSettings } from '../settings/load-settings.ts'
import { eraseSubject, namesOf } from './erase-subject.ts'

vi.setConfig({ testTimeout: 60_000 })

const SECRETS = ['Zephyrine Quandary', 'zephyr-quux-bot', 'Answers the mail of Zephyrine']
const [PERSON, AGENT, PURPOSE] = SECRETS as [string, string, string]
const reason = 'subject-request'
const withCode = (code: string) => expect.objectContaining({ code }) as Error

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function open(settings: EffectiveSettings): Promise<Rooms> {
  const rooms = await openRooms(settings, { own: 'http://127.0.0.1:7373', others: [] }, log)
  closers.push(() => rooms.close())
  return rooms
}

const erase = (rooms: Rooms, subject: string) => eraseSubject({ ...rooms, log }, subject, { reason, by: rooms.identity.operator })

/** A person with a name, and their agent, after something was decided about it and kept of both. */
async function populate(rooms: Rooms) {
  const { identity, registry, policy, ledger } = rooms
  const by = identity.operator
  const { id: person } = await identity.addPerson({ name: PERSON, groups: ['ops'] }, by)
  const { id: agent } = await registry.registerAgent({ name: AGENT, owner: person, purpose: PURPOSE }, by)
  await expect.poll(() => policy.worldNow().agents.map(({ id }) => id)).toContain(agent)
  await policy.reload()
  const world = digestOfWorld(policy.worldNow())
  await expect(policy.world(world)).resolves.toEqual(policy.worldNow())
  const payloads = [person, agent].map((subject) => ({ name: `said_${subject.slice(0, 3)}`, subject, value: PERSON }))
  await ledger.append({ changes: [], entries: [{ type: 'note', body: {}, payloads }] })
  return { person, agent, world }
}

async function leave({ identity, registry }: Rooms, { person, agent }: { person: string; agent: string }) {
  await identity.setGroups(person, [], identity.operator)
  await registry.retireAgent(agent, identity.operator)
}

/** In which files below a folder the secrets stand. */
function found(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => SECRETS.some((secret) => readFileSync(file).includes(secret)))
}

async function expectConsistent(rooms: Rooms, earlier?: string): Promise<void> {
  const { ledger } = rooms
  expect((await checkProjections(ledger, makeProjectors(rooms))).differences).toEqual([])
  await ledger.head()
  await expect(
    verifyLog({ read: (path) => ledger.file(path) }, { vkey: ledger.verifierKey, ...(earlier === undefined ? {} : { earlier }) }),
  ).resolves.toMatchObject({ ok: true })
}

test('a person and an agent who act no more lose their names with what they said, in every file and in a backup', async () => {
  const settings = makeInstallation()
  const rooms = await open(settings)
  const made = await populate(rooms)
  const { checkpoint: earlier } = await rooms.ledger.head()
  expect(found(settings.home)).not.toEqual([])
  await leave(rooms, made)
  const before = await namesOf({ ...rooms, log }, made.agent)
  expect(before.filter(({ stays }) => stays === undefined).map(({ room }) => room)).toEqual(['registry', 'policy'])
  expect(before[0]?.what).toContain(AGENT)
  const person = await erase(rooms, made.person)
  const agent = await erase(rooms, made.agent)
  expect([person.keys, agent.keys]).toEqual([1, 1])
  expect([person.overwritten, agent.overwritten]).toEqual([true, true])
  expect(agent.names.filter(({ stays }) => stays === undefined)).toHaveLength(2)
  expect(rooms.identity.person(made.person)?.name).toBe('erased')
  expect(rooms.registry.agent(made.agent)).toMatchObject({ name: 'erased', purpose: 'erased', owner: made.person, state: 'retired' })

  await expect.poll(() => JSON.stringify(rooms.policy.worldNow())).not.toContain(AGENT)
  expect(found(settings.home)).toEqual([])
  const folder = join(newFolder(), 'backup')
  await makeBackup({ ...rooms, home: settings.home, url: undefined }, folder, { withKeys: true })
  expect(found(folder)).toEqual([])

  const world = await rooms.policy.world(made.world)
  expect(world?.agents).toContainEqual(expect.objectContaining({ id: made.agent, name: 'erased', purpose: 'erased', owner: made.person }))
  await expectConsistent(rooms, earlier)
  // A second time there is nothing left, and nothing is recorded.
  expect(await erase(rooms, made.agent)).toMatchObject({ entries: [], keys: 0 })
  await rooms.close()
  closers.pop()
  const reopened = await open(settings)
  expect(reopened.identity.person(made.person)?.name).toBe('erased')
  await expect(reopened.policy.world(made.world)).resolves.toEqual(world)
  await expectConsistent(reopened)
})

test('who still acts keeps the name, and the answer says why; what was said goes all the same', async () => {
  const rooms = await open(makeInstallation())
  const made = await populate(rooms)
  const by = rooms.identity.operator
  for (const [subject, why] of [
    [made.person, 'in the groups ops'],
    [made.agent, 'retire it first'],
  ] as const) {
    const done = await erase(rooms, subject)
    expect(done.keys).toBe(1)
    expect(done.names[0]).toMatchObject({ fault: 'STILL_ACTING', stays: expect.stringContaining(why) as string })
  }
  expect(rooms.identity.person(made.person)?.name).toBe(PERSON)
  expect(rooms.registry.agent(made.agent)?.name).toBe(AGENT)
  const never = () => Promise.reject(new Error('written'))
  await expect(rooms.registry.eraseAgent(made.agent, by, never)).rejects.toThrow(withCode('STILL_ACTING'))
  await expect(rooms.identity.erasePerson(made.person, by, never)).rejects.toThrow(withCode('STILL_ACTING'))
  await expect(rooms.identity.erasePerson(by, by, never)).rejects.toThrow('the operator')
  await rooms.identity.setGroups(made.person, [], by)
  const { code } = await rooms.identity.createLink(by, made.person)
  const late = await rooms.identity.createLink(by, made.person)
  const { session } = await rooms.identity.openSession(code)
  expect(rooms.identity.actsStill(made.person)).toContain('sessions')
  await rooms.identity.closeSession(session.id, by)
  await rooms.identity.issueCredential(made.agent, by, { onBehalfOf: made.person })
  expect(rooms.identity.actsStill(made.person)).toContain('act for')
  for (const { id } of rooms.identity.credentials(made.agent)) await rooms.identity.revokeCredential(id, by)
  expect((await erase(rooms, made.person)).names[0]).not.toHaveProperty('stays')
  // Not by a link that was made before, nor by a new one, nor by a namesake.
  await expect(rooms.identity.openSession(late.code)).rejects.toThrow(withCode('NOT_FOUND'))
  await expect(rooms.identity.createLink(by, made.person)).rejects.toThrow(withCode('NOT_FOUND'))
  await expect(rooms.identity.setGroups(made.person, ['ops'], by)).rejects.toThrow(withCode('NOT_FOUND'))
  expect(() => rooms.identity.addPerson({ name: 'erased' }, by)).toThrow(withCode('REQUEST_INVALID'))
})

test('a session that opens at the moment of the erasure opens nothing, and nobody acts for an erased person', async () => {
  const { identity, ledger, registry } = await open(makeInstallation())
  const by = identity.operator
  const { id } = await identity.addPerson({ name: PERSON }, by)
  const { code } = await identity.createLink(by, id)
  let secret = ''
  await identity.erasePerson(id, by, async (part) => {
    ;({ secret } = await identity.openSession(code))
    await expect(identity.identify(secret)).resolves.toMatchObject({ id })
    await ledger.append(part)
    return { done: undefined, written: true }
  })
  await expect(identity.identify(secret)).rejects.toThrow(withCode('UNAUTHENTICATED'))
  const { id: agent } = await registry.registerAgent({ name: AGENT, owner: 'ops', purpose: PURPOSE }, by)
  await expect(identity.issueCredential(agent, by, { onBehalfOf: id })).rejects.toThrow(withCode('NOT_FOUND'))
})

test('a backup from before, restored, brings no name back: whoever was erased acts no more and is erased again at the start', async () => {
  const settings = makeInstallation()
  const rooms = await open(settings)
  const made = await populate(rooms)
  const folder = join(newFolder(), 'backup')
  await rooms.identity.issueCredential(made.agent, rooms.identity.operator, { onBehalfOf: made.person })
  await makeBackup({ ...rooms, home: settings.home, url: undefined }, folder, { withKeys: false })
  for (const { id } of rooms.identity.credentials(made.agent)) await rooms.identity.revokeCredential(id, rooms.identity.operator)
  await leave(rooms, made)
  await erase(rooms, made.person)
  await erase(rooms, made.agent)
  await rooms.close()
  closers.pop()
  await restoreBackup(settings, folder, { acceptRollback: { reason: 'the disk broke' } }, log)
  expect(found(join(settings.home, 'policies'))).toEqual([])
  expect(readFileSync(join(settings.home, 'store.db')).includes(PERSON)).toBe(true)
  const again = await open(settings)
  expect(again.identity.person(made.person)).toMatchObject({ name: 'erased', groups: [] })
  expect(again.registry.agent(made.agent)).toMatchObject({ name: 'erased', state: 'retired' })
  expect(again.identity.actsStill(made.person)).toBeUndefined()
  expect(found(settings.home).filter((file) => !file.includes('replaced-'))).toEqual([])
  await expectConsistent(again)
})

test('whoever a legal hold covers stays known', async () => {
  const rooms = await open(makeInstallation())
  const made = await populate(rooms)
  await leave(rooms, made)
  const by = rooms.identity.operator
  const { id } = await rooms.erasure.holds.place({ subject: made.agent, since: undefined, until: undefined, reason: 'case 7' }, by)
  await expect(erase(rooms, made.agent)).rejects.toThrow(withCode('LEGAL_HOLD'))
  expect((await namesOf({ ...rooms, log }, made.agent))[0]).toMatchObject({ fault: 'LEGAL_HOLD' })
  expect(rooms.registry.agent(made.agent)?.name).toBe(AGENT)
  await rooms.erasure.holds.release(id, by)
  await erase(rooms, made.agent)
  expect(rooms.registry.agent(made.agent)?.name).toBe('erased')
})

test('a world that somebody changed is not vouched for by an erasure, nor a name put back', async () => {
  const rooms = await open(makeInstallation())
  const made = await populate(rooms)
  await leave(rooms, made)
  await erase(rooms, made.agent)
  const alter = (from: string, to: string) => {
    const sql = 'UPDATE policy_world_part SET content = replace(content, ?, ?)'
    return rooms.store.commit({ changes: [{ sql, params: [from, to] }] })
  }
  await expect(rooms.policy.world(made.world)).resolves.toBeDefined()
  await alter(made.person, rooms.identity.operator)
  await expect(rooms.policy.world(made.world)).resolves.toBeUndefined()
  await alter(rooms.identity.operator, made.person)
  await alter('"erased"', '"Mallory"')
  await expect(rooms.policy.world(made.world)).resolves.toBeUndefined()
  await rooms.store.commit({ changes: [{ sql: `UPDATE registry_agent SET name = 'Mallory'`, params: [] }] })
  const { differences } = await checkProjections(rooms.ledger, makeProjectors(rooms))
  expect(differences).toContainEqual(expect.objectContaining({ table: 'registry_agent', field: 'profile' }))
})

const answers = await postgresAnswers()
if (!answers) console.warn('No PostgreSQL answers: erasing beside another replica is not tested.')

describe.skipIf(!answers)('on PostgreSQL', () => {
  test('another replica forgets the names too', async () => {
    const database = await freshDatabase()
    closers.push(() => database.drop())
    const settings = makeInstallation()
    const on = (home: string) => ({ ...settings, home, store: { ...settings.store, url: database.url, poolSize: 2 } })
    const one = await open(on(settings.home))
    const home = join(newFolder(), '.ephor')
    cpSync(join(settings.home, 'keys'), join(home, 'keys'), { recursive: true })
    const two = await open(on(home))
    const made = await populate(one)
    await leave(one, made)
    await expect.poll(() => two.registry.agent(made.agent)?.state, { timeout: 5000 }).toBe('retired')
    await erase(one, made.person)
    await erase(one, made.agent)
    await expect.poll(() => two.identity.person(made.person)?.name, { timeout: 5000 }).toBe('erased')
    await expect.poll(() => two.registry.agent(made.agent)?.name, { timeout: 5000 }).toBe('erased')
    await expect.poll(() => JSON.stringify(two.policy.worldNow()), { timeout: 5000 }).not.toContain(AGENT)
    await expectConsistent(two)
    expect(existsSync(join(home, 'erased'))).toBe(true)
  })
})
