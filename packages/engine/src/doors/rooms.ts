/** What the doors for other enforcement points stand on, and which application one of them may ask about. */
import { Fault } from '@ephor/contract'
import type { AgentPrincipal } from '@ephor/contract'
import type { Approvals } from '@ephor/engine/approvals'
import type { Broker, JudgedAccess } from '@ephor/engine/broker'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import type { AccessQuestion, Application, Applications } from '@ephor/engine/policy'
import type { Registry } from '@ephor/engine/registry'

export type DoorRooms = {
  applications: Applications
  broker: Broker
  approvals: Approvals
  registry: Pick<Registry, 'agent'>
  ledger: Pick<Ledger, 'append'>
  /** Where enforcement points reach this server, without a slash at the end. */
  origin: string
}

/** An enforcement point is trusted to say who the subject is, so an application names those it trusts. */
function mayAsk({ registry }: DoorRooms, application: Application, who: AgentPrincipal): boolean {
  const agent = registry.agent(who.id)
  if (agent?.state !== 'active') return false
  return application.settings.enforcementPoints.some((one) => one === agent.id || one === agent.name)
}

/**
 * @param name the application; unset, the only one that this enforcement point may ask about
 * @throws Fault FORBIDDEN, REQUEST_INVALID
 */
export function pickApplication(rooms: DoorRooms, who: AgentPrincipal, name: string | undefined): Application {
  const found = rooms.applications
    .list()
    .filter((one) => name === undefined || one.name === name)
    .map((one) => rooms.applications.find(one.name))
    .filter((application) => application !== undefined)
    .filter((application) => mayAsk(rooms, application, who))
  const [only, other] = found
  // Whether an application exists is nothing that a stranger learns.
  if (!only) throw new Fault('FORBIDDEN', 'no application here names this credential as an enforcement point of its')
  if (other)
    throw new Fault('REQUEST_INVALID', 'several applications name this credential: ask at /applications/<name>/access/v1/…', {
      where: 'path',
    })
  return only
}

/** Asks on behalf of an enforcement point. The whole question is bound to the decision, except for the approval that it names. */
export function judge(
  rooms: DoorRooms,
  door: 'authzen' | 'envoy',
  enforcementPoint: AgentPrincipal,
  application: Application,
  question: AccessQuestion,
  approval?: string,
): Promise<JudgedAccess> {
  const { delayed, approvalDeadlineMs } = application.settings
  return rooms.broker.judgeAccess({
    door,
    enforcementPoint,
    application: application.name,
    action: question.action.name,
    question: structuredClone(question) as unknown as JsonObject,
    decide: (approvals) => application.decide(question, approvals),
    deadlineMs: approvalDeadlineMs,
    ...(approval === undefined ? {} : { approval }),
    ...(delayed?.actions.includes(question.action.name) ? { delayedMs: delayed.within } : {}),
  })
}
