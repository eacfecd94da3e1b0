/** The whole way: an official client, the door, the real broker, policies and ledger, and real tool servers in processes of their own. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { World } from '@ephor/testkit'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { expect, test } from 'vitest'
import { approvalOf, openHouse, receiptOf } from './house.fixture.ts'
import type { Result } from './house.fixture.ts'

const SAMPLING = `
@id("sampling") @reason("This server may ask for completions.")
permit (principal is ToolServer, action == Action::"sampling/createMessage", resource);
`
async function sealed(world: World, decision: Json | undefined) {
  if (typeof decision !== 'string') throw new Error('no decision')
  const intent = await world.ledger.find(decision)
  const outcome = await world.ledger.find(`${decision}/outcome`)
  return { effect: intent?.body['effect'], fault: intent?.body['fault'], status: outcome?.body['status'] }
}

const textOf = ({ content }: Result) => JSON.stringify(content)

test.each(['stdio', 'http'] as const)('what an agent does with a server over %s is decided, done and on record', async (kind) => {
  const { world, client } = await openHouse(kind)
  const call = async (name: string, args: JsonObject = {}) => (await client.callTool({ name, arguments: args })) as Result

  const read = await call('suite__test_simple_text')
  expect(textOf(read)).toContain('simple text response')
  expect(await sealed(world, receiptOf(read).decision)).toEqual({ effect: 'permit', fault: undefined, status: 'succeeded' })
  expect((await world.ledger.read(receiptOf(read).seq))?.body['id']).toBe(receiptOf(read).decision)

  const resource = (await client.readResource({ uri: 'test://static-text' })) as Result
  expect(await sealed(world, receiptOf(resource).decision)).toMatchObject({ effect: 'permit', status: 'succeeded' })
  const prompt = (await client.getPrompt({ name: 'suite__test_simple_prompt' })) as Result
  expect(await sealed(world, receiptOf(prompt).decision)).toMatchObject({ effect: 'permit', status: 'succeeded' })

  const refused = await call('suite__test_image_content')
  expect(refused.isError).toBe(true)
  expect(await sealed(world, receiptOf(refused).decision)).toEqual({ effect: 'deny', fault: 'POLICY_NO_PERMIT', status: undefined })

  const size = (await world.ledger.head()).size
  await expect(call('suite__nothing_like_it')).rejects.toMatchObject({ code: -32602 })
  const [unknown] = await world.ledger.list({ after: size - 1, limit: 10 })
  expect(unknown?.body).toMatchObject({ type: 'decision', effect: 'deny', fault: 'TOOL_UNKNOWN' })
})

test('a held call runs once a person has approved it, and one that fails is a failure on record', async () => {
  const { world, client } = await openHouse('http')
  const call = async () => (await client.callTool({ name: 'suite__test_error_handling', arguments: {} })) as Result
  const held = await call()
  expect(textOf(held)).toContain('A person agrees first.')
  const { id } = approvalOf(held)
  expect(await sealed(world, receiptOf(held).decision)).toMatchObject({ effect: 'hold', status: undefined })
  expect((await call())._meta?.['dev.ephor/approval']).toMatchObject({ id })
  const { digest = '' } = (await world.approvals.find(id)) ?? {}
  await world.approvals.decide(id, world.person, { verdict: 'approve', digest })
  const done = await call()
  expect(textOf(done)).toContain('intentionally returns an error')
  expect(await sealed(world, receiptOf(done).decision)).toMatchObject({ effect: 'permit', status: 'failed' })
  // Approved once, not for ever.
  expect((await call())._meta?.['dev.ephor/approval']).not.toMatchObject({ id })
})

test('a server that dies in a call leaves an outcome that says that nobody knows', async () => {
  const { world, client } = await openHouse('http')
  const died = (await client.callTool({ name: 'wild__die', arguments: {} })) as Result
  expect(died.isError).toBe(true)
  expect(textOf(died)).toContain('Outcome unknown (UPSTREAM_DIED)')
  expect(await sealed(world, receiptOf(died).decision)).toMatchObject({ effect: 'permit', status: 'unknown' })
})

test.each(['stdio', 'http'] as const)('what a server asks is refused by default, until a policy permits it (%s)', async (kind) => {
  const { world, client } = await openHouse(kind)
  let asked = 0
  client.setRequestHandler('sampling/createMessage', async () => {
    asked++
    return { model: 'm', role: 'assistant' as const, content: { type: 'text' as const, text: 'Paris' } }
  })
  const relisted = new Promise<void>((resolve) => client.setNotificationHandler('notifications/tools/list_changed', () => resolve()))
  const sample = async () => (await client.callTool({ name: 'suite__test_sampling', arguments: { prompt: 'Capital?' } })) as Result
  await expect(sample()).rejects.toThrow('POLICY_NO_PERMIT')
  const pushed = (await client.callTool({ name: 'wild__ask', arguments: {} })) as Result
  expect(textOf(pushed).match(/POLICY_NO_PERMIT/g)).toHaveLength(3)
  expect(asked).toBe(0)

  writeFileSync(join(world.policyFolder, 'b.cedar'), SAMPLING)
  await world.policy.reload()
  await relisted
  expect(textOf(await sample())).toContain('Paris')
  expect(asked).toBe(1)
  const entries = await world.ledger.list({ limit: 1000 })
  const judged = entries.filter(({ body }) => body['method'] === 'sampling/createMessage').map(({ body }) => body)
  expect(judged.map(({ effect }) => effect)).toEqual(['deny', 'deny', 'permit'])
  expect(await sealed(world, judged[2]?.['id'])).toMatchObject({ effect: 'permit', status: 'succeeded' })
})

test('retiring an agent in the middle of a call ends the call, its session and its servers', async () => {
  const { world, client, agent } = await openHouse('stdio')
  void client.callTool({ name: 'wild__slow', arguments: {} }).catch(() => undefined)
  const decisions = async () => (await world.ledger.list({ limit: 1000 })).filter(({ body }) => body['effect'] === 'permit')
  await expect.poll(async () => (await decisions()).length).toBe(1)
  const [decision] = await decisions()
  await world.registry.retireAgent(agent.id, 'system')
  await expect.poll(async () => (await sealed(world, decision?.body['id'])).status, { timeout: 5000 }).toBe('unknown')
  await expect(client.listTools()).rejects.toThrow('Session not found')
})
