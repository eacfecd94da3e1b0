/** Applications: the AuthZEN scenarios by configuration alone, the directory's word against the enforcement point's, and broken changes. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeLog } from '@ephor/engine/kernel'
import type { EntryDraft } from '@ephor/engine/ledger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { filesOf, FIXTURES } from './applications.fixture.ts'
import { makeApplication } from './decide-access.ts'
import type { AccessQuestion, Application } from './decide-access.ts'
import { openApplications } from './open-applications.ts'
import { isApplicationFile, readApplication } from './read-application.ts'

async function open(name: string): Promise<Application> {
  const { findings, application } = await readApplication(filesOf(name))
  expect(findings).toEqual([])
  if (!application) throw new Error('the fixture is no application')
  return makeApplication(name, application)
}

let records: Application
beforeAll(async () => {
  records = await open('records')
})

const asks = (subject: string, action: string, resource: string): AccessQuestion => ({
  subject: { type: 'user', id: subject },
  action: { name: action },
  resource: { type: 'record', id: resource },
})
const effect = (question: AccessQuestion) => records.decide(question, []).effect

test('the eight decisions of the AuthZEN certification scenario', () => {
  const archived = { type: 'record', id: 'record-2', properties: { status: 'archived' } }
  expect(effect(asks('alice', 'read', 'record-1'))).toBe('permit')
  expect(effect(asks('alice', 'write', 'record-1'))).toBe('permit')
  expect(effect(asks('bob', 'read', 'record-1'))).toBe('permit')
  expect(effect(asks('bob', 'write', 'record-1'))).toBe('deny')
  expect(effect({ ...asks('alice', 'write', 'record-2'), resource: archived })).toBe('deny')
  const admin = { type: 'user', id: 'bob', properties: { role: 'admin' } }
  expect(effect({ ...asks('bob', 'write', 'record-2'), subject: admin, resource: archived })).toBe('permit')
  expect(effect({ ...asks('alice', 'delete', 'record-1'), action: { name: 'delete', properties: { soft: true } } })).toBe('permit')
  expect(effect({ ...asks('alice', 'delete', 'record-1'), action: { name: 'delete', properties: { soft: false } } })).toBe('deny')
})

test('what the directory says of somebody holds against what an enforcement point says', () => {
  // The directory has record-1 active and bob an administrator; alice has no role there, so that one may be added.
  const lied = { type: 'record', id: 'record-1', properties: { status: 'archived' } }
  expect(effect({ ...asks('bob', 'write', 'record-1'), resource: lied })).toBe('deny')
  const promoted = { type: 'user', id: 'alice', properties: { role: 'admin' } }
  expect(effect({ ...asks('alice', 'write', 'record-2'), subject: promoted })).toBe('permit')
})

test('nothing that one question adds is there for the next', () => {
  const promoted = { type: 'user', id: 'alice', properties: { role: 'admin' } }
  const stranger = { type: 'record', id: 'record-9', properties: { status: 'archived' } }
  expect(effect({ ...asks('alice', 'write', 'record-9'), subject: promoted, resource: stranger })).toBe('permit')
  expect(effect(asks('alice', 'write', 'record-2'))).toBe('deny')
  expect(records.known('record')).toEqual(['record-1', 'record-2'])
})

test('a property is data, whatever it looks like', () => {
  for (const writers of [[{ __entity: { type: 'User', id: 'mallory' } }], { __extn: { fn: 'unknown', arg: 'x' } }, 'mallory']) {
    const resource = { type: 'record', id: 'record-9', properties: { writers } } as AccessQuestion['resource']
    expect(records.decide({ ...asks('mallory', 'write', 'record-9'), resource }, [])).toMatchObject({
      effect: 'deny',
      fault: 'INPUT_INVALID',
    })
  }
  const named = { type: 'record', id: 'record-9', properties: { writers: ['mallory'] } }
  // An id is an id of the declared type; whether to trust the enforcement point with it is the schema's decision.
  expect(effect({ ...asks('mallory', 'write', 'record-9'), resource: named })).toBe('permit')
})

test.each(['__proto__', 'constructor', 'User"::"x', 'Action'])('a type or action called %s is none', (name) => {
  expect(effect({ ...asks('alice', 'read', 'record-1'), subject: { type: name, id: 'alice' } })).toBe('deny')
  expect(effect(asks('alice', name, 'record-1'))).toBe('deny')
})

test('who the directory does not know gets what policies give to strangers', () => {
  expect(effect(asks('nobody', 'read', 'record-1'))).toBe('permit')
  expect(effect(asks('nobody', 'write', 'record-1'))).toBe('deny')
})

test('a soft forbid holds, and only the answer to it permits, with the obligations', () => {
  const held = records.decide(asks('alice', 'export', 'record-1'), [])
  expect(held).toMatchObject({ effect: 'hold', asks: [{ policy: 'records/export-asks', deadlineMs: 600_000, quorum: 1 }] })
  const given = { id: 'apr_x', by: ['per_1'], policies: ['records/export-asks'] }
  expect(records.decide(asks('alice', 'export', 'record-1'), [given])).toMatchObject({
    effect: 'permit',
    obligations: [{ kind: 'timeout' }, { kind: 'redact', category: 'email' }],
  })
  expect(records.decide(asks('alice', 'export', 'record-1'), [{ ...given, by: [] }]).effect).toBe('hold')
})

test('actions are those that the schema declares for the types', () => {
  expect(records.actionsFor('user', 'record')).toEqual(['delete', 'export', 'read', 'write'])
  expect(records.actionsFor('record', 'record')).toEqual([])
})

const DATA = process.env['EPHOR_TEST_DATA'] ?? join(import.meta.dirname, '../../../../../../shared/data')
const SCENARIOS = ['decisions.json', ...['00', '01', '02'].map((draft) => `decisions-authorization-api-1_0-${draft}.json`)]

test.each(SCENARIOS)('the to-do scenario of the working group: %s', async (file) => {
  let text: string
  try {
    text = readFileSync(join(DATA, 'authzen/todo', file), 'utf8')
  } catch {
    console.log(`skipped: ${file} is not in ${DATA}; name the folder in EPHOR_TEST_DATA`)
    return
  }
  const todo = await open('todo')
  const { evaluation, decisions = evaluation } = JSON.parse(text) as Record<string, { request: AccessQuestion; expected: boolean }[]>
  expect(decisions?.length).toBe(40)
  const beside = ({ type, id, properties, ...rest }: AccessQuestion['resource']) => ({ type, id, properties: { ...rest, ...properties } })
  for (const { request, expected } of decisions ?? []) {
    const { effect: got } = todo.decide({ ...request, resource: beside(request.resource) }, [])
    expect(got === 'permit', JSON.stringify(request)).toBe(expected)
  }
})

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

async function openFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-applications-'))
  folders.push(folder)
  cpSync(join(FIXTURES, 'records'), join(folder, 'records'), { recursive: true })
  const entries: EntryDraft[] = []
  const ledger = {
    append: ({ entries: added }: { entries: EntryDraft[] }) => {
      entries.push(...added)
      return Promise.resolve([])
    },
  }
  const applications = await openApplications({ folder, ledger, log: makeLog('silent'), pollMs: 60_000 })
  return { folder, entries, applications }
}

test.each(['charter.yaml', 'Charter.yml', 'no exports.cedar', 'more.CEDAR', 'Entities.json', 'application.yml'])(
  'a file %s, which would restrict nothing, keeps the application from becoming active',
  async (name) => {
    expect(isApplicationFile(name)).toBe(true)
    const { findings, application } = await readApplication({ ...filesOf('records'), [name]: '' })
    expect([application, findings]).toEqual([undefined, [expect.objectContaining({ code: 'FILE_NAME', severity: 'error', file: name })]])
  },
)

test('notes, tests and editors’ own files are no part of an application', () => {
  for (const name of ['README.md', 'records.test.yaml', '.records.cedar', 'records.cedar~']) expect(isApplicationFile(name)).toBe(false)
})

test('a broken change is refused, on record, and the last good application goes on deciding', async () => {
  const { folder, entries, applications } = await openFolder()
  const { version } = applications.find('records') ?? {}
  writeFileSync(join(folder, 'records', 'more.cedar'), 'permit (principal, action == Action::"wriet", resource);')
  await applications.reload()
  expect(applications.find('records')?.version).toBe(version)
  expect(applications.list()[0]?.findings[0]).toMatchObject({ code: 'ACTION_UNKNOWN', file: 'more.cedar', line: 1 })
  expect(entries.map(({ type }) => type)).toEqual(['application.activated', 'application.refused'])
  rmSync(join(folder, 'records'), { recursive: true })
  await applications.reload()
  expect(applications.find('records')).toBeUndefined()
  expect(entries.at(-1)?.type).toBe('application.removed')
  await applications.close()
})

test.each([
  ['application.yaml', 'enforcementPoints: []', 'APPLICATION_INVALID'],
  ['application.yaml', 'enforcementPoints: [a]\nenforcmentPoints: [b]', 'APPLICATION_INVALID'],
  ['application.yaml', 'a: &a [x]\nenforcementPoints: *a', 'APPLICATION_INVALID'],
  ['entities.json', '[{"uid":{"type":"User","id":"x"},"attrs":{"role":7},"parents":[]}]', 'DIRECTORY_INVALID'],
  ['entities.json', '{', 'DIRECTORY_INVALID'],
  ['schema.cedarschema', 'entity User = { role?: Strin };', 'SCHEMA_INVALID'],
])('%s with %s is no application', async (file, text, code) => {
  const { findings, application } = await readApplication({ ...filesOf('records'), [file]: text })
  expect(application).toBeUndefined()
  expect(findings.map((found) => found.code)).toContain(code)
})

test('without a folder there are no applications, and one can be put there later', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'ephor-applications-'))
  folders.push(parent)
  const folder = join(parent, 'later')
  const applications = await openApplications({
    folder,
    ledger: { append: () => Promise.resolve([]) },
    log: makeLog('silent'),
    pollMs: 60_000,
  })
  expect(applications.list()).toEqual([])
  mkdirSync(folder)
  cpSync(join(FIXTURES, 'todo'), join(folder, 'todo'), { recursive: true })
  await applications.reload()
  expect(applications.find('todo')?.settings.beside).toBe(true)
  await applications.close()
})
