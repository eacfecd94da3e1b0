/** Approvals over HTTP: who sees what, who decides, and bodies that claim to be somebody else. */
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AGENT, digestOf, openWorld } from './test-world.ts'
import type { World } from './test-world.ts'

let world: World
let app: FastifyInstance
let alice: { id: string; bearer: string }
let agent: string
beforeAll(async () => {
  world = await openWorld()
  app = world.app()
  const { id } = await world.newPerson()
  const { code } = await world.identity.createLink(world.identity.operator, id)
  alice = { id, bearer: (await world.identity.openSession(code)).secret }
  agent = (await world.identity.issueCredential(AGENT, world.identity.operator)).secret
})
afterAll(async () => {
  await app.close()
  await world.end()
})

async function send(method: 'GET' | 'POST', url: string, payload?: object, headers: Record<string, string> = {}, bearer = alice.bearer) {
  const auth = bearer === '' ? {} : { authorization: `Bearer ${bearer}` }
  const response = await app.inject({ method, url, headers: { ...auth, ...headers }, ...(payload ? { payload } : {}) })
  return { status: response.statusCode, headers: response.headers, body: response.json() }
}

describe('an approver', () => {
  test('sees the exact arguments, the tool’s real name and server, the reasons, for whom, and until when', async () => {
    const input = { path: '/etc/pass\u202Ewd', deep: [{ amount: 12.5 }, null] }
    const held = await world.hold({ requesters: [world.identity.operator], ttlMs: 60_000 }, input, { onBehalfOf: 'Alice' })
    const { status, headers, body } = await send('GET', `/v1/approvals/${held.id}`)
    expect(status).toBe(200)
    expect(headers['cache-control']).toBe('no-store')
    expect(body).toEqual({
      id: held.id,
      state: 'pending',
      digest: held.digest,
      decision: held.decision,
      agent: AGENT,
      requesters: [world.identity.operator],
      server: 'files',
      tool: 'move_file',
      summary: 'move_file on files',
      reasons: [{ policy: 'hold-destructive', text: 'It cannot be undone.' }],
      asks: [
        {
          policy: 'hold-destructive',
          reason: 'It cannot be undone.',
          quorum: 1,
          escalated: false,
          by: [],
          until: '2026-11-22T12:01:00.000Z',
        },
      ],
      decidedBy: [],
      notes: [],
      openedAt: '2026-11-22T12:00:00.000Z',
      expiresAt: '2026-11-22T12:01:00.000Z',
      name: 'move_file',
      arguments: input,
      onBehalfOf: 'Alice',
    })
    const list = await send('GET', '/v1/approvals?state=pending&limit=500')
    expect(list.body.items).toContainEqual(expect.objectContaining({ id: held.id }))
    expect(JSON.stringify(list.body)).not.toContain('12.5')
  })

  test('decides in their own name', async () => {
    const { id, digest } = await world.hold()
    const { status, body } = await send('POST', `/v1/approvals/${id}/decision`, { verdict: 'approve', digest, note: ' Fine by me ' })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id,
      state: 'approved',
      decidedBy: [alice.id],
      decidedAt: expect.any(String),
      notes: [{ by: alice.id, text: 'Fine by me' }],
    })
    expect((await send('GET', `/v1/approvals/${id}`)).body).toMatchObject({ notes: [{ text: 'Fine by me' }] })
  })

  test('cannot say in the body that they are somebody else', async () => {
    const { id, digest } = await world.hold({ requesters: [alice.id] })
    const said = { verdict: 'approve', digest }
    for (const claim of [
      { by: world.identity.operator },
      { person: world.identity.operator },
      { decidedBy: 'per_0' },
      { state: 'approved' },
    ])
      expect((await send('POST', `/v1/approvals/${id}/decision`, { ...said, ...claim })).body.code).toBe('REQUEST_INVALID')
    expect((await send('POST', `/v1/approvals/${id}/decision?person=${world.identity.operator}`, said)).body.code).toBe('APPROVAL_SELF')
    expect((await world.approvals.find(id))?.state).toBe('pending')
  })

  test('who is an agent, or nobody, is refused', async () => {
    const { id, digest } = await world.hold()
    const said = { verdict: 'approve', digest }
    expect((await send('POST', `/v1/approvals/${id}/decision`, said, {}, agent)).body.code).toBe('FORBIDDEN')
    expect((await send('GET', `/v1/approvals/${id}`, undefined, {}, agent)).body.code).toBe('FORBIDDEN')
    expect((await send('GET', '/v1/approvals', undefined, {}, agent)).body.code).toBe('FORBIDDEN')
    expect((await send('POST', `/v1/approvals/${id}/decision`, said, {}, '')).status).toBe(401)
    const cookie = { cookie: `ephor_session=${alice.bearer}` }
    expect((await send('POST', `/v1/approvals/${id}/decision`, said, cookie, '')).body.code).toBe('HOST_REFUSED')
    expect((await send('POST', `/v1/approvals/${id}/decision`, said, { ...cookie, origin: world.identity.origins[0] }, '')).status).toBe(
      200,
    )
  })

  test('decides about what they saw: another digest or an old ETag is refused', async () => {
    const { id, digest } = await world.hold()
    const url = `/v1/approvals/${id}/decision`
    expect((await send('POST', url, { verdict: 'approve', digest: digestOf('other') })).body.code).toBe('CONFLICT')
    expect((await send('POST', url, { verdict: 'approve' })).body.code).toBe('REQUEST_INVALID')
    const etag = String((await send('GET', `/v1/approvals/${id}`)).headers.etag)
    expect((await send('POST', url, { verdict: 'approve', digest }, { 'if-match': '"other"' })).body.code).toBe('PRECONDITION_FAILED')
    expect((await send('POST', url, { verdict: 'deny', digest }, { 'if-match': `"other", ${etag}` })).status).toBe(200)
    expect((await send('POST', url, { verdict: 'approve', digest }, { 'if-match': etag })).body.code).toBe('PRECONDITION_FAILED')
    expect((await send('POST', url, { verdict: 'approve', digest }, { 'if-match': '*' })).body.code).toBe('APPROVAL_DECIDED')
  })

  test('may send a decision again, with the same key and ETag', async () => {
    const { id, digest } = await world.hold()
    const url = `/v1/approvals/${id}/decision`
    const etag = String((await send('GET', `/v1/approvals/${id}`)).headers.etag)
    const headers = { 'if-match': etag, 'idempotency-key': 'once' }
    const first = await send('POST', url, { verdict: 'deny', digest }, headers)
    const second = await send('POST', url, { verdict: 'deny', digest }, headers)
    expect([first.status, second.status, second.body]).toEqual([200, 200, first.body])
    expect((await send('POST', url, { verdict: 'approve', digest }, headers)).body.code).toBe('IDEMPOTENCY_MISMATCH')
    const long = { 'idempotency-key': 'k'.repeat(201) }
    expect((await send('POST', url, { verdict: 'deny', digest }, long)).body).toMatchObject({ where: 'header/idempotency-key' })
  })

  test('never decides by GET, nor finds what is not there', async () => {
    const { id } = await world.hold()
    expect(
      (await app.inject({ url: `/v1/approvals/${id}/decision`, headers: { authorization: `Bearer ${alice.bearer}` } })).statusCode,
    ).toBe(404)
    expect((await send('GET', '/v1/approvals/apr_0')).body.code).toBe('APPROVAL_UNKNOWN')
    expect((await send('POST', '/v1/approvals/apr_0/decision', { verdict: 'deny', digest: digestOf('x') })).body.code).toBe(
      'APPROVAL_UNKNOWN',
    )
    const first = await send('GET', '/v1/approvals?limit=1')
    expect(first.body.items).toHaveLength(1)
    const next = await send('GET', `/v1/approvals?limit=1&cursor=${first.body.next}`)
    expect(next.body.items[0].id).not.toBe(first.body.items[0].id)
  })

  test('is not asked about a call that the ledger does not hold, or holds otherwise', async () => {
    const { approval, part } = world.approvals.open({
      ...(await world.hold()),
      decision: 'dec_missing',
      digest: digestOf('missing'),
      ttlMs: 60_000,
    })
    await world.ledger.append(part)
    expect((await send('GET', `/v1/approvals/${approval.id}`)).body.code).toBe('STORE_CORRUPT')
    const swapped = await world.hold({}, {}, { server: 'bank' })
    expect((await send('GET', `/v1/approvals/${swapped.id}`)).body.code).toBe('STORE_CORRUPT')
  })
})
