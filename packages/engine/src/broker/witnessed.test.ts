/** `@obligation("witnessed")`: a critical call runs once others have seen the record of its permit, or not at all. */
import { callOf, openWorld } from '@ephor/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { fakeWitness } from '../ledger/witness/witness.fixture.ts'
import type { Run } from './types.ts'

const POLICY = `
@id("pay") @reason("p") @obligation("witnessed; timeout:4s")
permit (principal, action in Action::"money", resource) when { !(context.input has to) };
@id("pay-two") @reason("p") @obligation("witnessed:2; timeout:400ms")
permit (principal, action in Action::"money", resource) when { context.input has to && context.input.to == "two" };
@id("pay-three") @reason("p") @obligation("witnessed:3")
permit (principal, action in Action::"money", resource) when { context.input has to && context.input.to == "three" };
@id("ask") @reason("a") @approval("")
forbid (principal, action in Action::"money", resource) when { context.input has to && context.input.to == "three" };
@id("look") @reason("l")
permit (principal, action in Action::"read", resource);
@id("questions") @reason("q") @obligation("witnessed")
permit (principal is ToolServer, action == Action::"sampling/createMessage", resource);
`

async function open(count: number) {
  const fakes = await Promise.all(Array.from({ length: count }, (_, i) => fakeWitness(`w.test/${i}`)))
  const world = await openWorld({ policies: { 'p.cedar': POLICY }, witnesses: fakes })
  onTestFinished(() => world.close())
  const { bearer } = await world.agent()
  let ran = 0
  const run: Run = async () => {
    ran++
    return { isError: false, value: null }
  }
  return {
    world,
    fakes,
    bearer,
    run,
    ran: () => ran,
    pay: (to?: string) => world.broker.perform(callOf(bearer, 'pay', to === undefined ? {} : { to }), run),
  }
}

test('the tool runs once all witnesses have cosigned a checkpoint that covers the permit', async () => {
  const { world, fakes, bearer } = await open(2)
  let covered: number[] = []
  const done = await world.broker.perform(callOf(bearer, 'pay'), async ({ decision }) => {
    const seq = (await world.ledger.find(decision))?.seq ?? Infinity
    covered = fakes.map(({ state }) => state.size - seq)
    return { isError: false, value: null }
  })
  expect(done).toMatchObject({ kind: 'done' })
  expect(covered.every((ahead) => ahead >= 1)).toBe(true)
})

test('with a dead witness the call does not run, and the record says so', async () => {
  const { world, fakes, bearer, pay, run, ran } = await open(2)
  await fakes[1]?.stop()
  const missing = await pay('two')
  expect(missing).toMatchObject({ kind: 'failed', fault: 'WITNESS_MISSING' })
  expect((await world.ledger.find(`${missing.decision}/outcome`))?.body).toMatchObject({ status: 'failed', fault: 'WITNESS_MISSING' })
  expect(ran()).toBe(0)
  // Whatever asks for no witnesses goes on.
  expect(await world.broker.perform(callOf(bearer, 'look'), run)).toMatchObject({ kind: 'done' })
})

test('a caller that goes away while it waits did nothing', async () => {
  const { world, fakes, bearer, run, ran } = await open(1)
  for (const { state } of fakes) state.lie = () => undefined
  const gone = AbortSignal.timeout(150)
  const ended = await world.broker.perform(callOf(bearer, 'pay', {}, { signal: gone }), run)
  expect(ended).toMatchObject({ kind: 'failed', fault: 'CALL_CANCELLED' })
  expect(ran()).toBe(0)
})

test('more witnesses than there are can never be met: the call is refused at once, and nobody is asked about it', async () => {
  const { world, pay } = await open(2)
  expect(await pay('three')).toMatchObject({ kind: 'refused', fault: 'OBLIGATION_UNMET' })
  expect(await world.approvals.list({ limit: 10 })).toEqual({ items: [] })
  const nobody = await open(0)
  expect(await nobody.pay()).toMatchObject({ kind: 'refused', fault: 'OBLIGATION_UNMET' })
})

test('an enforcement point is told, and a server’s request, which waits for nobody, is refused', async () => {
  const { world, bearer } = await open(1)
  const asked = await world.broker.ask(callOf(bearer, 'pay', {}, { door: 'api' }))
  expect(asked).toMatchObject({ kind: 'permitted', obligations: expect.arrayContaining([{ kind: 'witnessed', policy: 'p/pay' }]) })
  const { id } = await world.agent('another')
  const judged = await world.broker.judgeServerRequest({
    server: 'box',
    method: 'sampling/createMessage',
    agent: id,
    session: 's',
    params: {},
  })
  expect(judged).toMatchObject({ permitted: false, fault: 'OBLIGATION_UNMET' })
})
