/** GET /v1/health: alive, ready, and why not. */
import { healthOperations } from '@ephor/contract'
import type { Backtests } from '@ephor/engine/backtests'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Identity } from '@ephor/engine/identity'
import type { Ledger } from '@ephor/engine/ledger'
import type { Policy } from '@ephor/engine/policy'
import type { FastifyInstance } from 'fastify'
import { VERSION } from '../version.ts'

const nobody = () => Promise.reject(new Error('this operation is for anyone'))

type Rooms = {
  policy: Pick<Policy, 'version'>
  ledger: Pick<Ledger, 'head' | 'forked'>
  backtests: Pick<Backtests, 'drift'>
  outward: { warnings(): Promise<string[]> }
  witnessing: { warnings(): string[] }
  identity: Pick<Identity, 'refused'>
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

/** Anyone may ask, so the reasons say what is wrong and nothing of what is inside. */
export function mountHealth(app: FastifyInstance, rooms: Rooms): void {
  mount(
    app,
    healthOperations,
    {
      async checkHealth({ reply }) {
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
        return { live: true as const, ready: reasons.length === 0, reasons, warnings: await warningsOf(rooms), version: VERSION }
      },
    },
    nobody,
  )
}
