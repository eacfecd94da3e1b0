/** Payloads of one subject are sealed in one envelope: each opens by itself, and none can be passed off as another. */
import { makeId } from '@ephor/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSealed } from './index.ts'
import { alter, openWorld } from './ledger.fixture.ts'
import type { World } from './ledger.fixture.ts'
import { readStore } from './store.ts'

const ID = makeId('dec', 0, new Uint8Array(10))

let world: World
beforeEach(async () => {
  world = await openWorld()
  const payloads = [
    { name: 'input', subject: 'agt_1', value: { text: 'for the tool' } },
    { name: 'note', subject: 'per_1', value: 'from a person' },
    { name: 'facts', subject: 'agt_1', value: { calls: 7 } },
  ]
  await world.ledger.append({ changes: [], entries: [{ type: 'decision', id: ID, body: {}, payloads }] })
})
afterEach(() => world.close())

async function change(statement: string): Promise<void> {
  expect(await alter(world.folder, statement)).toBe(1)
}

test('each opens by its name, one envelope a subject', async () => {
  await expect(world.ledger.payload(0, 'input')).resolves.toEqual({ text: 'for the tool' })
  await expect(world.ledger.payload(0, 'facts')).resolves.toEqual({ calls: 7 })
  await expect(world.ledger.payload(0, 'note')).resolves.toBe('from a person')
  await expect(world.ledger.payload(0, 'in')).resolves.toBeUndefined()
  await expect(world.ledger.payload(0, 'input facts')).resolves.toBeUndefined()
  const rows = await readStore(world.store).payloads(0, 0, ['input', 'note'])
  const stored = rows.map(({ name, subject }) => ({ name, subject: subject.slice(0, 5) }))
  expect(stored).toHaveLength(2)
  expect(stored).toEqual(
    expect.arrayContaining([
      { name: 'input facts', subject: 'agt_1' },
      { name: 'note', subject: 'per_1' },
    ]),
  )
})

test('a key that is missing takes what it sealed, and nothing else', async () => {
  await change("DELETE FROM ledger_key WHERE substr(subject, 1, 6) = 'agt_1/'")
  await world.close()
  world = await openWorld(world.folder)
  await expect(world.ledger.payload(0, 'input')).rejects.toThrow('no entry says that it was destroyed')
  await expect(world.ledger.payload(0, 'facts')).rejects.toThrow('no entry says that it was destroyed')
  await expect(world.ledger.payload(0, 'note')).resolves.toBe('from a person')
})

test.each(['facts input', 'input', 'facts', 'input facts note', 'input  facts', 'input facts facts'])(
  'an envelope renamed to “%s” opens nothing that it is not',
  async (name) => {
    await change(`UPDATE ledger_payload SET name = '${name}' WHERE substr(subject, 1, 6) = 'agt_1/'`)
    for (const one of ['input', 'facts'])
      await expect(world.ledger.payload(0, one)).rejects.toThrow(/STORE_CORRUPT|does not open|missing|committed/)
  },
)

test('many at once are opened in another place by the same rules', async () => {
  const query = { after: -1, upTo: 0, limit: 10, ids: 'dec', names: ['facts'] } as const
  const { entries, keys } = await world.ledger.sealed(query)
  expect(entries.map(({ payloads }) => payloads.map(({ name }) => name))).toEqual([['input facts']])
  const [opened] = entries.map((entry) => openSealed(entry, keys))
  expect(opened?.payload('facts')).toEqual({ calls: 7 })
  expect(opened?.payload('input')).toEqual({ text: 'for the tool' })
  expect(() => opened?.payload('note')).toThrow('missing')
  expect(opened?.payload('result')).toBeUndefined()
})
