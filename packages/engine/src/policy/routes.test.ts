/** The room over HTTP: what is active and refused, the schema, a check; for people only. */
import fastify from 'fastify'
import { expect, test } from 'vitest'
import { openRoom } from './policy.fixture.ts'
import { mountPolicy } from './routes.ts'

async function serve(kind: 'person' | 'agent', files: Record<string, string>) {
  const room = await openRoom(files)
  const app = fastify()
  app.setErrorHandler((error, _request, reply) =>
    reply.status((error as { status?: number }).status ?? 500).send({ code: (error as { code?: string }).code }),
  )
  mountPolicy(app, room.policy, async () =>
    kind === 'person' ? { kind, id: 'per_1', session: 'ses_1' } : { kind, id: 'agt_1', credential: 'crd_1' },
  )
  return { app, room }
}

test('a person sees the active texts, the policies in them and the schema', async () => {
  const text = '@id("ask") @reason("Ask first.") @approval("") forbid (principal, action, resource);'
  const { app, room } = await serve('person', { 'a.cedar': text })
  const shown = (await app.inject('/v1/policy')).json()
  expect(shown).toMatchObject({
    version: room.policy.version(),
    files: [{ name: 'a.cedar', text }],
    policies: [{ id: 'a/ask', effect: 'hold', file: 'a.cedar', line: 1, reason: 'Ask first.' }],
    findings: [],
  })
  expect(shown.refused).toBeUndefined()
  const schema = (await app.inject('/v1/policy/schema')).json()
  expect(schema.text).toContain('action "fs/read" in [Action::"read", Action::"risk:low", Action::"tools/call"]')
  expect(schema.leftOut).toEqual([])
  await room.close()
})

test('a person sees what the folder was refused for', async () => {
  const { app, room } = await serve('person', { 'a.cedar': 'permit (principal, action, resourc);' })
  const shown = (await app.inject('/v1/policy')).json()
  expect(shown).toMatchObject({ files: [], refused: { findings: [{ code: 'POLICY_SYNTAX', file: 'a.cedar', line: 1, column: 28 }] } })
  await room.close()
})

test('texts are checked without becoming active', async () => {
  const { app, room } = await serve('person', { 'a.cedar': '@reason("r") permit (principal, action, resource);' })
  const check = (files: object) => app.inject({ method: 'POST', url: '/v1/policy/check', payload: { files } })
  const version = room.policy.version()
  expect((await check({ 'b.cedar': 'forbid (principal, action, resource);' })).json()).toMatchObject({
    ok: true,
    findings: [{ code: 'REASON_MISSING' }],
  })
  expect((await check({ 'b.cedar': 'forbid' })).json()).toMatchObject({ ok: false })
  expect((await check({ 'b.cedar': 5 })).statusCode).toBe(400)
  expect(room.policy.version()).toBe(version)
  await room.close()
})

test('an agent sees none of it', async () => {
  const { app, room } = await serve('agent', {})
  for (const url of ['/v1/policy', '/v1/policy/schema']) expect((await app.inject(url)).statusCode).toBe(403)
  expect((await app.inject({ method: 'POST', url: '/v1/policy/check', payload: { files: {} } })).statusCode).toBe(403)
  await room.close()
})
