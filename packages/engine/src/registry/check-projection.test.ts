/** Attack tests on the registry's tables: whatever is changed, added or removed in the database is found, with table, key and field. */
import { tamperColumns } from '@ephor/engine/kernel/testing'
import { checkProjections } from '@ephor/engine/ledger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWorld, PERSON } from './test-world.ts'
import type { World } from './test-world.ts'
import type { ServerDraft } from './types.ts'

let world: World
let agent: string
const check = () => checkProjections(world.ledger, [world.registry.projector()])
const tool = (name: string, description = `The tool ${name}`) => ({ name, description, inputSchema: { type: 'object' } })

beforeAll(async () => {
  world = await openWorld()
  const transport: ServerDraft['transport'] = { type: 'stdio', command: 'mcp-files', args: [], env: {} }
  for (const name of ['files', 'empty']) await world.registry.proposeServer({ name, transport, folders: ['/srv'] }, PERSON)
  await world.registry.observeTools('files', [tool('read'), tool('write')])
  await world.registry.acceptServer('files', {}, PERSON)
  await world.registry.observeTools('files', [tool('read', 'now another one'), tool('write')])
  agent = (await world.registry.registerAgent({ name: 'a', owner: 'team', purpose: 'p' }, PERSON)).id
  await world.registry.trustAgent(agent, { groups: ['ops'], tier: 2, standing: 'watched' }, PERSON)
})
afterAll(() => world.end())

/** Columns that the ledger has one salted digest of. */
const TOGETHER: Record<string, string> = {
  transport: 'settings',
  folders: 'settings',
  name: 'profile',
  owner: 'profile',
  purpose: 'profile',
}

test.each([
  [
    'registry_server',
    { name: 'empty' },
    { state: 'accepted', transport: '{"type":"http","url":"https://evil.test/"}', folders: '["/"]' },
    'settings',
  ],
  ['registry_tool', { server: 'files', name: 'read' }, { state: 'accepted', paths: '["/x"]' }, ''],
  ['registry_tool', { server: 'files', name: 'write' }, { state: 'gone', paths: '["/x"]', definition: '{}', seen: '{}' }, ''],
  ['registry_agent', {}, { state: 'retired', groups: '["admin"]' }, 'profile'],
])('of a changed row of %s (%j), table, key and column are named', async (table, given, values, ofSalt) => {
  const key = table === 'registry_agent' ? { id: agent } : given
  expect(await check()).toMatchObject({ rows: 5, differences: [], uncovered: [] })
  await tamperColumns(world.store, { table, key, values }, async (column) => {
    const field = column === 'salt' ? ofSalt : (TOGETHER[column] ?? column)
    expect((await check()).differences, column).toEqual([
      {
        table,
        key: Object.values(key).join('/'),
        ...(column === '' ? {} : { field }),
        detail: column === '' ? 'the ledger has it and the row is missing' : `its ${field} is not what the ledger says`,
      },
    ])
  })
  expect((await check()).differences).toEqual([])
})

test.each([
  ['registry_server', 'name, state, transport, folders, salt', "'x', state, transport, folders, salt", 'name', 'x'],
  [
    'registry_tool',
    'server, name, state, kind, risk, paths, digest, definition',
    "server, 'x', state, kind, risk, paths, digest, definition",
    'name',
    'files/x',
  ],
  ['registry_agent', 'id, name, owner, purpose, expires_at, state, salt', "'x', name, owner, purpose, expires_at, state, salt", 'id', 'x'],
])('a row of %s that nobody made is found', async (table, columns, values, id, key) => {
  const change = (sql: string) => world.store.commit({ changes: [{ sql, params: [] }] })
  await change(`INSERT INTO ${table} (tenant, ${columns}) SELECT tenant, ${values} FROM ${table} LIMIT 1`)
  expect((await check()).differences).toEqual([{ table, key, detail: 'the row is there and the ledger has no entry for it' }])
  await change(`DELETE FROM ${table} WHERE ${id} = 'x'`)
})

test('what is written while it is checked is no difference', async () => {
  const busy = world.registry.projector()
  let round = 0
  const { differences, entries } = await checkProjections(world.ledger, [
    {
      take: (entry) => busy.take(entry),
      async finish() {
        if (round++ < 2) await world.registry.extendAgent(agent, world.clock.now() + round * 86_400_000, PERSON)
        return busy.finish()
      },
    },
  ])
  expect(differences).toEqual([])
  expect(entries).toBe((await world.entries()).length)
})
