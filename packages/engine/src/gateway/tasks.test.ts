/** Held calls as tasks: waiting for a person, over restarts, with the official client and the real broker; and other agents who know the id. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { World } from '@ephor/testkit'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Client } from '@modelcontextprotocol/client'
import { openHouse } from './house.fixture.ts'

const HELD = 'suite__test_error_handling'
const READ = 'suite__test_simple_text'
const ENVELOPE = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }
const DECLARED = { extensions: { 'io.modelcontextprotocol/tasks': {} } }

const AnyResult = z.looseObject({ taskId: z.string().optional(), status: z.string().optional(), statusMessage: z.string().optional() })
const Created = z.looseObject({ task: z.looseObject({ taskId: z.string(), status: z.string() }) })

async function callAsTask(client: Client, name: string) {
  const { task, _meta } = await client.request({ method: 'tools/call', params: { name, arguments: {}, task: { ttl: 60_000 } } }, Created)
  return { ...task, said: JSON.stringify(_meta) }
}

const about = (client: Client, method: string, taskId: string) => client.request({ method, params: { taskId } }, AnyResult)

async function decide(world: World, id: string, verdict: 'approve' | 'deny'): Promise<void> {
  const { digest = '' } = (await world.approvals.find(id)) ?? {}
  await world.approvals.decide(id, world.person, { verdict, digest })
}

/** A request of revision 2026-07-28 as a client with the extension sends it. */
async function ask(url: URL, bearer: string, method: string, params: JsonObject, capabilities: JsonObject = DECLARED) {
  const name = params['taskId'] ?? params['name']
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bearer}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      'mcp-name': typeof name === 'string' ? name : '',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method,
      params: { ...params, _meta: { ...ENVELOPE, 'io.modelcontextprotocol/clientCapabilities': capabilities } },
    }),
  })
  const { result, error } = (await answer.json()) as { result?: JsonObject; error?: { code: number } }
  return { status: answer.status, result: result ?? {}, error }
}

test('a held call is a task that works until a person approves, then runs once and keeps its result (2025-11-25)', async () => {
  const { world, client } = await openHouse('http')
  const { tools } = await client.listTools()
  expect(tools.every(({ execution }) => execution?.taskSupport === 'optional')).toBe(true)
  const task = await callAsTask(client, HELD)
  expect(task.said).toContain('A person agrees first.')
  expect(task).toMatchObject({ taskId: expect.stringMatching(/^apr_/) as string, status: 'working' })
  expect(await about(client, 'tasks/get', task.taskId)).toMatchObject({
    status: 'working',
    statusMessage: expect.stringContaining('person') as string,
  })
  const waiting = about(client, 'tasks/result', task.taskId)
  await decide(world, task.taskId, 'approve')
  expect(JSON.stringify(await waiting)).toContain('intentionally returns an error')
  // The tool said that it failed.
  expect(await about(client, 'tasks/get', task.taskId)).toMatchObject({ status: 'failed' })
  const again = await about(client, 'tasks/result', task.taskId)
  expect(again).toMatchObject({ isError: true, _meta: { 'io.modelcontextprotocol/related-task': { taskId: task.taskId } } })
  const runs = (await world.ledger.list({ limit: 1000 })).filter(({ body }) => body['effect'] === 'permit')
  expect(runs).toHaveLength(1)
  expect((await world.approvals.find(task.taskId))?.state).toBe('spent')
})

test('a call that nobody has to approve is a task that is over (2025-11-25)', async () => {
  const { client } = await openHouse('http')
  const task = await callAsTask(client, READ)
  expect(await about(client, 'tasks/get', task.taskId)).toMatchObject({ status: 'completed' })
  expect(JSON.stringify(await about(client, 'tasks/result', task.taskId))).toContain('simple text response')
})

test('a denied task ends with the reason, and a cancelled one can never run', async () => {
  const { world, client } = await openHouse('http')
  const denied = await callAsTask(client, HELD)
  await decide(world, denied.taskId, 'deny')
  expect(JSON.stringify(await about(client, 'tasks/result', denied.taskId))).toContain('APPROVAL_DENIED')
  expect(await about(client, 'tasks/get', denied.taskId)).toMatchObject({ status: 'failed' })

  const given = await callAsTask(client, HELD)
  expect(await about(client, 'tasks/cancel', given.taskId)).toMatchObject({ status: 'cancelled' })
  await expect(decide(world, given.taskId, 'approve')).rejects.toMatchObject({ code: 'APPROVAL_EXPIRED' })
  expect(await about(client, 'tasks/get', given.taskId)).toMatchObject({ status: 'cancelled' })
  await expect(about(client, 'tasks/cancel', given.taskId)).rejects.toMatchObject({ code: -32602 })
  await expect(about(client, 'tasks/result', given.taskId)).rejects.toThrow(/gave it up/)
  const runs = (await world.ledger.list({ limit: 1000 })).filter(({ body }) => body['effect'] === 'permit')
  expect(runs).toEqual([])
})

test('a task outlives the server: the same credential finds it in a new session, decided or not', async () => {
  const { world, agent, client, door, openGateway, connect } = await openHouse('http')
  const task = await callAsTask(client, HELD)
  const other = await callAsTask(client, READ)
  await door.close()
  const next = await openGateway()
  const again = await connect(next.url, agent.bearer)
  expect(await about(again, 'tasks/get', task.taskId)).toMatchObject({ status: 'working' })
  expect(JSON.stringify(await about(again, 'tasks/result', other.taskId))).toContain('simple text response')
  await decide(world, task.taskId, 'approve')
  expect(JSON.stringify(await about(again, 'tasks/result', task.taskId))).toContain('intentionally returns an error')
  await next.close()
  const last = await connect((await openGateway()).url, agent.bearer)
  expect(JSON.stringify(await about(last, 'tasks/result', task.taskId))).toContain('intentionally returns an error')
})

test('the id of a task is worth nothing to another agent, another session, or a guess', async () => {
  const { world, agent, client, door, connect } = await openHouse('http')
  const task = await callAsTask(client, HELD)
  const done = await callAsTask(client, READ)
  const stranger = await connect(door.url, (await world.agent('stranger')).bearer)
  const beside = await connect(door.url, agent.bearer)
  await decide(world, task.taskId, 'approve')
  for (const thief of [stranger, beside]) {
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel']) {
      for (const id of [task.taskId, done.taskId])
        await expect(about(thief, method, id)).rejects.toMatchObject({
          code: -32602,
          message: expect.stringContaining('no such task') as string,
        })
    }
  }
  for (const id of ['', 'apr_01k9v3aaaaaaaaaaaaaaaaaaaa', 'dec_01k9v3aaaaaaaaaaaaaaaaaaaa', '../'])
    await expect(about(client, 'tasks/get', id)).rejects.toMatchObject({ code: -32602 })
  // Nothing of that ran it.
  expect((await world.approvals.find(task.taskId))?.state).toBe('approved')
})

test('a client of revision 2026-07-28 gets a task for a held call if it declares the extension, and only then', async () => {
  const { world, agent, door } = await openHouse('http')
  const plain = await ask(door.url, agent.bearer, 'tools/call', { name: HELD, arguments: {} }, {})
  expect(plain.result).toMatchObject({ resultType: 'complete', isError: true })
  const created = await ask(door.url, agent.bearer, 'tools/call', { name: HELD, arguments: { other: 1 } })
  expect(created.result).toMatchObject({ resultType: 'task', status: 'working', pollIntervalMs: expect.any(Number) as number })
  const { taskId } = z.object({ taskId: z.string() }).parse(created.result)
  const get = async (bearer = agent.bearer, capabilities = DECLARED as JsonObject) =>
    ask(door.url, bearer, 'tasks/get', { taskId }, capabilities)
  expect(await get(agent.bearer, {})).toMatchObject({ status: 400, error: { code: -32021 } })
  expect((await get((await world.agent('stranger')).bearer)).error).toMatchObject({ code: -32602 })
  expect((await get()).result).toMatchObject({ resultType: 'complete', status: 'working' })
  await decide(world, taskId, 'approve')
  await expect.poll(async () => (await get()).result['status']).toBe('completed')
  expect((await get()).result).toMatchObject({
    result: { isError: true, content: [{ text: expect.stringContaining('intentionally') as string }] },
  })
  expect((await ask(door.url, agent.bearer, 'tasks/update', { taskId, inputResponses: {} })).result).toMatchObject({
    resultType: 'complete',
  })
  expect((await ask(door.url, agent.bearer, 'tasks/list', {})).error).toMatchObject({ code: -32601 })
  const permitted = await ask(door.url, agent.bearer, 'tools/call', { name: READ, arguments: {} })
  expect(permitted.result).toMatchObject({ resultType: 'complete' })
})
