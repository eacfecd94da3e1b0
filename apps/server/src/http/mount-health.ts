/** GET /v1/health: alive, ready, and why not. */
import { healthOperations } from '@ephor/contract'
import type { Backtests } from '@ephor/engine/backtests'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Identity } from '@ephor/engine/identity'
import type { Ledger } from '@ephor/engine/ledger'
import type { Policy } from '@ephor/engine/policy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { VERSION } from '../version.ts'

const nobody = () => Promise.reject(new Error('this operation is for anyone'))

type Rooms = {
  policy: Pick<Policy, 'version'>
  ledger: Pick<Ledger, 'head' | 'forked'>
  backtests: Pick<Backtests, 'drift'>
  outward: { warnings(): Promise<string[]> }
  witnessing: { warnings(): string[] }
  identity: Pick<Identity, 'refused' | 'authenticate'>
}

async function driftOf({ backtests }: Rooms): Promise<string[]> {
  const drift = await backtests.drift().catch(() => undefined)
  if (!drift) return []
  const at = isoTime(drift.checkedAt)
  if (drift.failed) return [`the check for drift of ${at} did not come to its end`]
  return drift.differences > 0 ? [`recorded decisions do not come out again as they were made (checked ${at})`] : []
}

async function warningsOf(rooms: Rooms): Promise<string[]> {
  const refused = rooms.identity.refused().length
  const tampered = `STORE_CORRUPT: rows of people, credentials or sessions are not what the ledger says and do not act (${refused}); ephor ledger check names them`
  return [
    ...(refused > 0 ? [tampered] : []),
    ...(await driftOf(rooms)),
    ...(await rooms.outward.warnings().catch(() => [])),
    ...rooms.witnessing.warnings(),
  ]
}

/** What is wrong inside, and what the systems around are called, is for people: a stranger learns that there is something. */
const FOR_STRANGERS = 'something should be looked at: ask as a person who is signed in, or with ephor doctor'

async function isPerson({ identity }: Rooms, request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
  const { authorization, cookie } = request.headers
  if (authorization === undefined && cookie === undefined) return false
  const principal = await identity.authenticate(request, reply).catch(() => undefined)
  // A probe with an outworn credential is a stranger's, and no failure.
  reply.removeHeader('www-authenticate')
  return principal?.kind === 'person'
}

/** Anyone may ask, so the reasons say what is wrong and nothing of what is inside. */
export function mountHealth(app: FastifyInstance, rooms: Rooms): void {
  mount(
    app,
    healthOperations,
    {
      async checkHealth({ request, reply }) {
        const reasons: string[] = []
        // Asks the thread that writes: when it is gone, nothing can be recorded, and so nothing is permitted.
        const writes = await rooms.ledger.head().then(
          () => true,
          () => false,
        )
        if (!writes) reasons.push('the store cannot write')
        if (rooms.ledger.forked()) reasons.push('the ledger has two histories (ephor ledger forks)')
        if (rooms.policy.version() === undefined) reasons.push('no policy is active')
        if (reasons.length > 0) reply.status(503)
        const found = await warningsOf(rooms)
        const warnings = found.length === 0 || (await isPerson(rooms, request, reply)) ? found : [FOR_STRANGERS]
        return { live: true as const, ready: reasons.length === 0, reasons, warnings, version: VERSION }
      },
    },
    nobody,
  )
}
