/** Answers whether a request that a proxy holds back may go on. */
import type { AgentPrincipal } from '@ephor/contract'
import type { Obligation } from '@ephor/engine/policy'
import { judge, pickApplication } from '../rooms.ts'
import type { DoorRooms } from '../rooms.ts'
import { readRequest } from './read-request.ts'
import type { HeldRequest } from './read-request.ts'

export type Checked =
  | { allowed: true; decision: string; obligations: readonly Obligation[] }
  /** `decision` is absent where there was nothing to ask policies about. */
  | { allowed: false; decision: string | undefined; reason: string; detail: string }

/**
 * @param name the application; unset, the only one that this credential may ask about
 * @throws Fault FORBIDDEN, STORE_UNAVAILABLE …: then the proxy must deny
 */
export async function check(rooms: DoorRooms, who: AgentPrincipal, name: string | undefined, request: HeldRequest): Promise<Checked> {
  const application = pickApplication(rooms, who, name)
  const { envoy } = application.settings
  const unasked = (detail: string): Checked => ({ allowed: false, decision: undefined, reason: 'REQUEST_INVALID', detail })
  if (!envoy) return unasked('the application has no envoy section')
  const question = readRequest(envoy, request)
  if (typeof question === 'string') return unasked(question)
  // A proxy keeps no obligation that it was not set up for, and a permit without its obligation is none.
  const bounded = {
    ...application,
    decide: (...asked: Parameters<typeof application.decide>) => {
      const decision = application.decide(...asked)
      const unmet =
        decision.effect === 'permit'
          ? decision.obligations.find(({ kind }) => kind === 'witnessed' || (kind !== 'review' && !envoy.fulfils.includes(kind)))
          : undefined
      if (!unmet) return decision
      const { version, world, reasons } = decision
      const detail = `The proxy is not set up for the obligation ${unmet.kind}.`
      return { version, world, effect: 'deny' as const, fault: 'OBLIGATION_UNMET' as const, detail, reasons }
    },
  }
  const judged = await judge(rooms, 'envoy', who, bounded, question)
  if (judged.kind === 'permitted') return { allowed: true, decision: judged.decision, obligations: judged.obligations }
  if (judged.kind === 'refused') return { allowed: false, decision: judged.decision, reason: judged.fault, detail: judged.detail }
  return {
    allowed: false,
    decision: judged.decision,
    reason: 'APPROVAL_REQUIRED',
    detail: `People have to agree first: ${judged.approval.id}`,
  }
}
