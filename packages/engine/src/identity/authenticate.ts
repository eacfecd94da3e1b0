/** Who a request comes from: its bearer, else the session cookie of a browser, which other sites could make it send. */
import { Fault } from '@ephor/contract'
import type { Principal } from '@ephor/contract'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyRequest } from 'fastify'

const COOKIE = 'ephor_session'
const READS = new Set(['GET', 'HEAD'])

/** @throws Fault HOST_REFUSED unless the request names one of our origins. */
export function requireOurOrigin(request: FastifyRequest, origins: readonly string[]): void {
  const { origin } = request.headers
  if (origin === undefined || !origins.includes(origin))
    throw new Fault('HOST_REFUSED', `a browser may do this from ${origins.join(' or ')} alone`)
}

function readCookie(header: string | undefined): string | undefined {
  const values = (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${COOKIE}=`))
    .map((pair) => pair.slice(COOKIE.length + 1))
  // A neighbour on the same host can add a cookie of the same name (cookie tossing): of two, neither counts.
  return values.length === 1 ? values[0] : undefined
}

/** Strict: no other site's link or form brings it along. HttpOnly: no script reads it. */
export function sessionCookie(secret: string, seconds: number, origin: string): string {
  const secure = origin.startsWith('https:') ? '; Secure' : ''
  return `${COOKIE}=${secret}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`
}

export function makeAuthenticate(identify: (bearer: string) => Promise<Principal>, origins: readonly string[]): Authenticate {
  async function principalOf(request: FastifyRequest): Promise<Principal> {
    const { authorization, cookie } = request.headers
    if (authorization !== undefined) {
      const bearer = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization)?.[1]
      if (bearer === undefined) throw new Fault('UNAUTHENTICATED', 'the Authorization header holds no bearer')
      return identify(bearer)
    }
    const secret = readCookie(cookie)
    if (!secret?.startsWith('eps_')) throw new Fault('UNAUTHENTICATED', 'the request carries no credential')
    if (!READS.has(request.method)) requireOurOrigin(request, origins)
    return identify(secret)
  }
  return async (request, reply) => {
    try {
      return await principalOf(request)
    } catch (error) {
      // RFC 9110 section 11.6.1
      if (error instanceof Fault && error.status === 401) reply.header('www-authenticate', 'Bearer')
      throw error
    }
  }
}
