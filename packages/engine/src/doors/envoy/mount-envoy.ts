/** Envoy's external authorization over HTTP: the held request comes as it is, under a prefix, and 200 lets it go on. */
import { Fault } from '@ephor/contract'
import type { AgentPrincipal } from '@ephor/contract'
import { sendFault } from '@ephor/engine/kernel'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DoorRooms } from '../rooms.ts'
import { check } from './check.ts'
import { refusalBody } from './serve-grpc.ts'

/** The prefix that stands before the held request's own path. */
export const CHECK_PREFIX = '/envoy/v1/check'

/** The proxy's own credential. The client's `authorization` may be the held request's, so it is another header. */
const CREDENTIAL = 'x-ephor-credential'

function heldOf({ raw, method, headers }: FastifyRequest) {
  const single = Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : []))
  return {
    method,
    path: (raw.url ?? '').slice(CHECK_PREFIX.length) || '/',
    host: headers.host ?? '',
    scheme: typeof headers['x-forwarded-proto'] === 'string' ? headers['x-forwarded-proto'] : '',
    headers: Object.fromEntries(single),
  }
}

export function mountEnvoy(app: FastifyInstance, rooms: DoorRooms, identify: (bearer: string) => Promise<AgentPrincipal>): void {
  void app.register(async (door) => {
    // Whatever body the held request has is none of ours.
    door.removeAllContentTypeParsers()
    door.addContentTypeParser('*', (_request, payload, done) => {
      payload.resume()
      done(null)
    })
    const answer = async (request: FastifyRequest, reply: Parameters<typeof sendFault>[0]) => {
      const credential = request.headers[CREDENTIAL]
      try {
        if (typeof credential !== 'string') throw new Fault('UNAUTHENTICATED', `the proxy sends its credential as ${CREDENTIAL}`)
        const checked = await check(rooms, await identify(credential), undefined, heldOf(request))
        if (checked.decision !== undefined) reply.header('x-ephor-decision', checked.decision)
        if (checked.allowed) return await reply.status(200).send()
        return await reply.status(403).type('application/problem+json').send(refusalBody(checked))
      } catch (error) {
        return sendFault(reply, error)
      }
    }
    door.all(CHECK_PREFIX, answer)
    door.all(`${CHECK_PREFIX}/*`, answer)
  })
}
