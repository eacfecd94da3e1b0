/** What the health check tells whom: a probe whether to send calls here, a stranger nothing of what is inside. */
import { Fault } from '@ephor/contract'
import type { Principal } from '@ephor/contract'
import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { mountHealth } from './mount-health.ts'

const NAMED = 'the sink payroll-bus does not take entries'
const principals: Record<string, Principal> = {
  person: { kind: 'person', id: 'per_1', session: 'ses_1' },
  agent: { kind: 'agent', id: 'agt_1', credential: 'crd_1' },
}

async function health(warnings: string[], headers: Record<string, string> = {}) {
  const app = fastify()
  mountHealth(app, {
    policy: { version: () => 'sha256:1' },
    ledger: { head: () => Promise.resolve({ size: 0, root: '', checkpoint: '' }), forked: () => undefined },
    backtests: { drift: () => Promise.resolve(undefined) },
    outward: { warnings: () => Promise.resolve(warnings) },
    witnessing: { warnings: () => [] },
    identity: {
      refused: () => [],
      authenticate(request, reply) {
        const found = principals[request.headers.authorization ?? '']
        if (found) return Promise.resolve(found)
        reply.header('www-authenticate', 'Bearer')
        return Promise.reject(new Fault('UNAUTHENTICATED', 'no'))
      },
    },
  })
  return app.inject({ url: '/v1/health', headers })
}

test('a person is told what to look at, by name', async () => {
  expect((await health([NAMED], { authorization: 'person' })).json()).toMatchObject({ ready: true, warnings: [NAMED] })
})

test.each([{}, { authorization: 'agent' }, { authorization: 'outworn' }, { cookie: 'x=1' }])(
  'who is not signed in as a person (%o) learns that there is something, and is not refused',
  async (headers) => {
    const answer = await health([NAMED, NAMED], headers)
    expect([answer.statusCode, answer.headers['www-authenticate']]).toEqual([200, undefined])
    expect(answer.json()).toMatchObject({ ready: true, warnings: [expect.stringContaining('signed in')] })
    expect(answer.body).not.toContain('payroll')
    expect((await health([], headers)).json()).toMatchObject({ warnings: [] })
  },
)
