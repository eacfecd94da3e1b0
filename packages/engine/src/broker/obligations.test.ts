/** What permits are tied to, kept: results without what is to be redacted, no run without its sandbox, records whole or bounded. */
import { callOf, openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Json } from '@ephor/engine/kernel'
import type { Run } from './types.ts'

const POLICY = `
@id("read") @reason("r") @obligation("redact:ssn; redact:email")
permit (principal, action in Action::"read", resource);
@id("write") @reason("w")
permit (principal, action in Action::"write", resource);
@id("write-full") @reason("w") @obligation("log:full")
permit (principal, action in Action::"write", resource) when { context.input has text && context.input.text == "full" };
@id("wipe") @reason("d") @obligation("sandbox:gvisor")
permit (principal, action in Action::"destructive", resource);
@id("ask") @reason("a") @approval("")
forbid (principal, action in Action::"destructive", resource) when { context.input has what && context.input.what == "ask" };
@id("questions") @reason("q") @obligation("limit:2/hour; timeout:3s")
permit (principal is ToolServer, action == Action::"sampling/createMessage", resource);
@id("forms") @reason("q") @obligation("redact:ssn")
permit (principal is ToolServer, action == Action::"elicitation/create", resource);
`
const SSN = '531-21-7351'

let world: World
let agent: Awaited<ReturnType<World['agent']>>
beforeAll(async () => {
  world = await openWorld({ policies: { 'p.cedar': POLICY } })
  agent = await world.agent()
})
afterAll(() => world.close())

const perform = (name: string, input: Record<string, Json>, run: Run) => world.broker.perform(callOf(agent.bearer, name, input), run)
const answering =
  (value: Json, isError = false): Run =>
  async () => ({ isError, value })

async function recorded(decision: string) {
  const outcome = await world.ledger.find(`${decision}/outcome`)
  return { body: outcome?.body, result: outcome && (await world.ledger.payload(outcome.seq, 'result')) }
}

describe('redact', () => {
  test('takes it out of what the agent gets and of what is kept, and the record says how often', async () => {
    const content = [{ type: 'text', text: `Jane, ${SSN}, jane@example.com, ${SSN}` }]
    const clean = { content: [{ type: 'text', text: 'Jane, [redacted: ssn], [redacted: email], [redacted: ssn]' }] }
    const done = await perform('look', {}, answering({ content }))
    expect(done).toMatchObject({ kind: 'done', value: clean })
    const { body, result } = await recorded(done.decision)
    expect([body, result]).toEqual([expect.objectContaining({ status: 'succeeded', redacted: { ssn: 2, email: 1 } }), clean])
    // The agent’s other way to the result.
    expect(JSON.stringify(await world.broker.show(done.decision, agent.principal))).not.toContain(SSN)
  })

  test('tells the runner, so that nothing else of the server gets to the agent', async () => {
    let seen: unknown
    await perform('look', {}, async ({ obligations }) => {
      seen = obligations
      return { isError: false, value: null }
    })
    expect(seen).toMatchObject([
      { kind: 'redact', category: 'email' },
      { kind: 'redact', category: 'ssn' },
    ])
  })

  test('takes it out of errors', async () => {
    expect(await perform('look', {}, answering({ content: [{ type: 'text', text: `no ${SSN}` }] }, true))).toMatchObject({
      value: { content: [{ text: 'no [redacted: ssn]' }] },
    })
    expect(await perform('look', {}, () => Promise.reject(new Error(`no row ${SSN}`)))).toMatchObject({
      kind: 'failed',
      detail: 'no row [redacted: ssn]',
    })
  })

  test('withholds what can’t be examined, and says honestly that the call was made', async () => {
    const done = await perform('look', {}, answering({ content: [{ type: 'image', data: 'aGk=', mimeType: 'image/png' }] }))
    expect(done).toMatchObject({
      kind: 'failed',
      fault: 'OBLIGATION_UNMET',
      detail: expect.stringMatching(/succeeded.*withheld.*not text/),
    })
    const { body, result } = await recorded(done.decision)
    expect(body).toMatchObject({ status: 'succeeded', fault: 'OBLIGATION_UNMET' })
    expect(result).toBeUndefined()
  })

  test('of results that are built to be slow stops no other call, and what is too much is withheld', async () => {
    const slow = { content: [{ type: 'text', text: `${SSN} ${'6 '.repeat(250_000)}` }] }
    let isOver = false
    const all = Promise.all(Array.from({ length: 70 }, () => perform('look', {}, answering(slow)))).finally(() => (isOver = true))
    expect(await perform('note', {}, answering(SSN))).toMatchObject({ kind: 'done' })
    expect(isOver).toBe(false)
    const ended = await all
    expect(ended.every((one) => one.kind === 'done' || (one.kind === 'failed' && one.fault === 'OBLIGATION_UNMET'))).toBe(true)
    expect(ended.filter(({ kind }) => kind === 'done').length).toBeGreaterThanOrEqual(64)
    expect(ended.some((one) => JSON.stringify(one).includes(SSN))).toBe(false)
  }, 60_000)

  test('leaves results of other permits alone', async () => {
    expect(await perform('note', {}, answering(SSN))).toMatchObject({ value: SSN })
  })

  test('goes along to an enforcement point, and what that leaves in its report is not kept', async () => {
    const asked = await world.broker.ask({ ...callOf(agent.bearer, 'look', {}), door: 'api' })
    expect(asked).toMatchObject({ kind: 'permitted', obligations: [{ category: 'email' }, { category: 'ssn' }] })
    await world.broker.report(agent.principal, asked.decision, { status: 'succeeded', result: { row: SSN } })
    expect(await recorded(asked.decision)).toMatchObject({ body: { redacted: { ssn: 1 } }, result: { row: '[redacted: ssn]' } })
  })
})

describe('sandbox', () => {
  test('without one the call is refused, recorded, and does not run', async () => {
    let ran = false
    const refused = await perform('wipe', {}, async () => {
      ran = true
      return { isError: false, value: null }
    })
    const detail = 'no sandbox profile gvisor is available here (policy p/wipe)'
    expect(refused).toMatchObject({ kind: 'refused', fault: 'OBLIGATION_UNMET', detail })
    expect((await world.ledger.find(refused.decision))?.body).toMatchObject({ effect: 'deny', fault: 'OBLIGATION_UNMET' })
    expect(ran).toBe(false)
  })

  test('nobody is asked to approve a call that could not run', async () => {
    expect(await perform('wipe', { what: 'ask' }, answering(null))).toMatchObject({ kind: 'refused', fault: 'OBLIGATION_UNMET' })
    expect((await world.approvals.list({ limit: 1 })).items).toEqual([])
  })

  test('goes along to an enforcement point', async () => {
    const asked = await world.broker.ask({ ...callOf(agent.bearer, 'wipe', {}), door: 'api' })
    expect(asked).toMatchObject({ kind: 'permitted', obligations: [{ kind: 'sandbox', profile: 'gvisor' }] })
  })
})

describe('log', () => {
  const long = { text: 'é'.repeat(100_000) }

  test('without it a long result is kept by its beginning, size and digest; the agent gets the whole', async () => {
    const done = await perform('note', { text: 'x' }, answering(long))
    expect(done).toMatchObject({ kind: 'done', value: long })
    const { body, result } = await recorded(done.decision)
    expect(body).toMatchObject({ status: 'succeeded', truncated: true })
    expect(result).toEqual({
      bytes: 200_011,
      digest: expect.stringMatching(/^sha256:/),
      beginning: expect.stringMatching(/^\{"text":"é+$/),
    })
  })

  test('full keeps the whole', async () => {
    const done = await perform('note', { text: 'full' }, answering(long))
    const { body, result } = await recorded(done.decision)
    expect([body?.['truncated'], result]).toEqual([undefined, long])
  })
})

describe('of what a tool server asks', () => {
  const asks = (method: 'sampling/createMessage' | 'elicitation/create') =>
    world.broker.judgeServerRequest({ server: 'box', method, agent: agent.id, session: 's', params: {} })

  test('limits and time-outs are kept', async () => {
    expect(await asks('sampling/createMessage')).toMatchObject({ permitted: true, timeoutMs: 3000 })
    expect(await asks('sampling/createMessage')).toMatchObject({ permitted: true })
    const third = await asks('sampling/createMessage')
    expect(third).toMatchObject({ permitted: false, fault: 'OBLIGATION_UNMET', detail: expect.stringMatching(/2 a hour/) })
    world.clock.advance(3_600_001)
    expect(await asks('sampling/createMessage')).toMatchObject({ permitted: true })
  })

  test('what can’t be kept on that way is refused', async () => {
    expect(await asks('elicitation/create')).toMatchObject({ permitted: false, fault: 'OBLIGATION_UNMET' })
  })
})
