/** Searching the ledger: by everything an entry is about, page by page while it grows, and never more than the ledger says. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testsPostgres } from '../ledger.fixture.ts'
import type { Filters } from './search-query.ts'
import { decisionBody, openSearchWorld, traceId } from './search.fixture.ts'
import type { SearchWorld } from './search.fixture.ts'

let world: SearchWorld
const trace = traceId()
const [agent, other] = ['agt_01k0000000000000000000aaaa', 'agt_01k0000000000000000000bbbb']
const person = 'per_01k0000000000000000000cccc'

async function append(type: string, body: ReturnType<typeof decisionBody>, id?: string): Promise<number> {
  const [receipt] = await world.ledger.append({ changes: [], entries: [{ type, body, ...(id !== undefined && { id }) }] })
  return receipt?.seq ?? -1
}

const found = async (filters: Filters, order: 'newest' | 'oldest' = 'oldest') =>
  (await world.search.search(filters, { order, limit: 500 })).items.map(({ seq }) => seq)

const seqs = { denied: 0, permitted: 0, outcome: 0, approved: 0, person: 0 }

beforeAll(async () => {
  world = await openSearchWorld()
  for (let i = 0; i < 20; i++) await append('filler', { n: i })
  seqs.denied = await append(
    'decision',
    decisionBody({ agent, tool: 'write_file', effect: 'deny', more: { trace: `00-${trace}-00f067aa0ba902b7-01` } }),
    'dec_01k0000000000000000000dddd',
  )
  seqs.permitted = await append('decision', decisionBody({ agent: other, more: { onBehalfOf: person } }), 'dec_01k0000000000000000000eeee')
  seqs.outcome = await append('outcome', { decision: 'dec_01k0000000000000000000eeee', status: 'succeeded', by: 'broker' })
  seqs.approved = await append('approval.decided', { approval: 'apr_01k0000000000000000000ffff', verdict: 'approved', by: person })
  for (let i = 0; i < 20; i++) await append('filler', { n: i })
})

afterAll(() => world.close())

const cases: [string, Filters, (keyof typeof seqs)[]][] = [
  ['agent', { agent }, ['denied']],
  ['one of two agents', { agent: [agent, other] }, ['denied', 'permitted']],
  ['person on whose behalf, and who decided', { person }, ['permitted', 'approved']],
  ['tool', { tool: 'write_file' }, ['denied']],
  ['tool with its server', { tool: 'files/read_file' }, ['permitted']],
  ['server', { server: 'files' }, ['denied', 'permitted']],
  ['resource', { resource: 'files/write_file' }, ['denied']],
  ['effect', { effect: 'deny' }, ['denied']],
  ['outcome', { outcome: 'succeeded' }, ['outcome']],
  ['policy', { policy: 'folders/outside' }, ['denied']],
  ['fault', { fault: 'POLICY_DENIED' }, ['denied']],
  ['risk', { risk: 'high' }, ['denied']],
  ['session', { session: 'a-session' }, ['denied', 'permitted']],
  ['trace id', { trace }, ['denied']],
  ['traceparent', { trace: `00-${trace}-00f067aa0ba902b7-01` }, ['denied']],
  ['door', { door: 'mcp' }, ['denied', 'permitted']],
  ['type', { type: 'approval.decided' }, ['approved']],
  ['how a type begins', { type: 'approval' }, ['approved']],
  ['what mentions an id', { about: 'dec_01k0000000000000000000eeee' }, ['permitted', 'outcome']],
  ['words of a reason', { text: 'outside folder' }, ['denied']],
  ['words in another form', { text: 'OUTSIDE, Folders!' }, ['denied']],
  ['several at once', { agent, effect: 'deny', type: 'decision', text: 'confined' }, ['denied']],
  ['several that no entry has', { agent, effect: 'permit' }, []],
  ['a word that is nowhere', { text: 'nowhere' }, []],
]

/** The first round finds most of them in the part that is not indexed yet. */
const whole = () => expect.poll(async () => (await world.search.status()).indexed, { timeout: 15_000 }).toBe(44)
for (const [when, ready] of [['at once', async () => {}] as const, ['in the index', whole] as const]) {
  test.each(cases)(`an entry is found ${when} by %s`, async (_, filters, expected) => {
    await ready()
    expect(await found(filters)).toEqual(expected.map((name) => seqs[name]))
    expect(await found(filters, 'newest')).toEqual(expected.map((name) => seqs[name]).toReversed())
  })
}

test('a time has a beginning that is in it and an end that is not', async () => {
  const at = (await world.ledger.read(seqs.permitted))?.body['at'] as string
  expect(await found({ since: at, type: 'decision' })).toContain(seqs.permitted)
  expect(await found({ until: at, type: 'decision' })).not.toContain(seqs.permitted)
  expect(await found({ since: '2099-01-01T00:00:00Z' })).toEqual([])
})

test('what was acknowledged is found at once', async () => {
  for (let i = 0; i < 30; i++) {
    const session = `session-${i}`
    const seq = await append('decision', decisionBody({ agent, more: { session } }))
    expect(await found({ session })).toEqual([seq])
  }
})

test.each(['newest', 'oldest'] as const)('pages of the %s first hold each entry once while the ledger grows', async (order) => {
  const session = `growing-${order}`
  const wanted: number[] = []
  for (let i = 0; i < 30; i++) wanted.push(await append('decision', decisionBody({ agent, more: { session } })))
  const seen: number[] = []
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = await world.search.search({ session }, { order, cursor, limit: 7 })
    seen.push(...page.items.map(({ seq }) => seq))
    cursor = page.next
    if (seen.length < 25) wanted.push(await append('decision', decisionBody({ agent, more: { session } })))
  }
  const expected = order === 'oldest' ? wanted : wanted.slice(0, 30).toReversed()
  expect(seen).toEqual(expected)
})

test('an index that is built again finds the same', async () => {
  const before = await found({ agent })
  await world.search.rebuild()
  expect(await found({ agent })).toEqual(before)
  const { entries } = await world.search.status()
  const whole = { entries, indexed: entries, counted: entries, missing: 0 }
  await expect.poll(() => world.search.status(), { timeout: 15_000 }).toMatchObject(whole)
  expect(await found({ agent })).toEqual(before)
})

test('of two replicas, one indexes each entry', async ({ skip }) => {
  if (!testsPostgres) skip('the embedded store has one process')
  const second = await openSearchWorld(world.folder, 'second')
  try {
    for (let i = 0; i < 5; i++) {
      const bodies = Array.from({ length: 300 }, (_, n) => decisionBody({ agent, more: { session: `shared-${i}-${n}` } }))
      await [world, second][i % 2]?.ledger.append({ changes: [], entries: bodies.map((body) => ({ type: 'decision', body })) })
    }
    for (const { search } of [world, second]) {
      const { items } = await search.search({ session: 'shared-4-299' }, { order: 'newest', limit: 5 })
      expect(items).toHaveLength(1)
    }
    const { entries } = await second.search.status()
    await expect.poll(() => second.search.status(), { timeout: 15_000 }).toMatchObject({ indexed: entries, counted: entries, missing: 0 })
  } finally {
    await second.close()
  }
})
