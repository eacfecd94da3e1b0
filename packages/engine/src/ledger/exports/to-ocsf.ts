/**
 * Entries as OCSF 1.8.0 events (schema.ocsf.io): calls and what came of them are API Activity (6003), whatever was not
 * permitted is a Detection Finding (2004), the rest are base events (0). What OCSF has no place for stays in `raw_data`.
 */
import type { JsonObject } from '@ephor/engine/kernel'
import type { Entry } from '../types.ts'
import { factsOf } from './entry-facts.ts'
import type { EntryFacts } from './entry-facts.ts'

const VERSION = '1.8.0'
/** Of API Activity: Create 1, Read 2, Update 3, Delete 4, Other 99. */
const ACTIVITY: Record<string, number> = { read: 2, write: 3, destructive: 4 }
const SEVERITY: Record<string, number> = { low: 2, medium: 3, high: 4, critical: 5 }
const RISK_LEVEL: Record<string, [id: number, name: string]> = {
  low: [1, 'Low'],
  medium: [2, 'Medium'],
  high: [3, 'High'],
  critical: [4, 'Critical'],
}
const STATUS: Record<string, [id: number, name: string]> = { succeeded: [1, 'Success'], failed: [2, 'Failure'], unknown: [0, 'Unknown'] }

/** Members that are undefined are left out; OCSF has no null. */
function present(members: Record<string, unknown>): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as JsonObject
}

function common(origin: string, { seq, leafHash }: Entry, text: string, facts: EntryFacts): JsonObject {
  const { tenant, decision, trace, type } = facts
  return {
    time: Date.parse(facts.at),
    metadata: present({
      version: VERSION,
      product: { name: 'Ephor', vendor_name: 'Ephor' },
      profiles: ['security_control'],
      uid: `${origin}#${seq}`,
      sequence: seq,
      log_name: origin,
      event_code: type,
      tenant_uid: tenant,
      correlation_uid: decision ?? trace,
      original_time: facts.at,
    }),
    raw_data: text,
    unmapped: present({ leafHash, trace }),
  }
}

function actorOf({ agent, person, session, by }: EntryFacts): JsonObject {
  return present({
    app_uid: agent,
    app_name: agent === undefined ? (by ?? 'ephor') : undefined,
    user: person === undefined ? undefined : { uid: person },
    session: session === undefined ? undefined : { uid: session },
  })
}

function callOf({ server, tool, method, decision, id, version, policies }: EntryFacts) {
  const name = server === undefined ? tool : tool === undefined ? server : `${server}/${tool}`
  return {
    api: present({
      operation: method ?? 'tools/call',
      service: server === undefined ? undefined : { name: server },
      request: { uid: decision ?? id ?? '' },
    }),
    resources: name === undefined ? undefined : [{ name, type: 'tool' }],
    policy: policies[0] === undefined ? undefined : present({ uid: policies[0], name: policies.join(' '), version }),
  }
}

function riskOf({ risk }: EntryFacts): Record<string, unknown> {
  const [risk_level_id, risk_level] = RISK_LEVEL[risk ?? ''] ?? []
  return { risk_level_id, risk_level }
}

function toActivity(facts: EntryFacts): JsonObject {
  const { kind, method, outcome, agent, server, fault } = facts
  const activity = ACTIVITY[kind ?? ''] ?? 99
  const [status_id, status] = STATUS[outcome ?? 'succeeded'] ?? [0, 'Unknown']
  return present({
    category_uid: 6,
    class_uid: 6003,
    class_name: 'API Activity',
    activity_id: activity,
    activity_name: activity === 99 ? (outcome === undefined ? (method ?? 'Call') : 'Outcome') : undefined,
    type_uid: 600_300 + activity,
    severity_id: outcome === 'failed' || outcome === 'unknown' ? 2 : 1,
    status_id,
    status,
    status_code: fault,
    actor: actorOf(facts),
    src_endpoint: agent === undefined ? { svc_name: 'ephor' } : { uid: agent },
    dst_endpoint: server === undefined ? undefined : { svc_name: server },
    ...callOf(facts),
    ...(outcome === undefined ? { action_id: 1, action: 'Allowed', disposition_id: 1, disposition: 'Allowed' } : {}),
    ...riskOf(facts),
  })
}

function toFinding(origin: string, seq: number, facts: EntryFacts): JsonObject {
  const { effect, decision, fault, risk, agent } = facts
  const { api, resources, policy } = callOf(facts)
  const isHold = effect === 'hold'
  const what = resources?.[0]?.name ?? facts.method ?? 'a call'
  const said = isHold
    ? { action_id: 99, action: 'Held', disposition_id: 99, disposition: 'Held for a person' }
    : { action_id: 2, action: 'Denied', disposition_id: 2, disposition: 'Blocked' }
  return present({
    category_uid: 2,
    class_uid: 2004,
    class_name: 'Detection Finding',
    activity_id: 1,
    activity_name: 'Create',
    type_uid: 200_401,
    severity_id: isHold ? 2 : (SEVERITY[risk ?? ''] ?? 3),
    status_id: 1,
    status: 'New',
    status_code: fault,
    is_alert: !isHold,
    message: `${isHold ? 'Held' : 'Refused'}: ${what} for ${agent ?? 'nobody known'}`,
    finding_info: present({
      uid: decision ?? `${origin}#${seq}`,
      title: isHold ? 'Call held for a person' : 'Call refused',
      desc: fault,
      created_time: Date.parse(facts.at),
      types: ['Policy'],
    }),
    evidences: [{ actor: actorOf(facts), api }],
    resources,
    policy,
    ...said,
    ...riskOf(facts),
  })
}

const BASE = {
  category_uid: 0,
  class_uid: 0,
  class_name: 'Base Event',
  activity_id: 99,
  type_uid: 99,
  severity_id: 1,
}

/** @param text the body as it was hashed */
export function toOcsf(origin: string, entry: Entry, text: string): JsonObject {
  const facts = factsOf(entry.body)
  const shared = common(origin, entry, text, facts)
  if (facts.type === 'decision' && facts.effect !== 'permit') return { ...toFinding(origin, entry.seq, facts), ...shared }
  if (facts.type === 'decision' || facts.type === 'outcome') return { ...toActivity(facts), ...shared }
  return { ...BASE, activity_name: facts.type, message: facts.type, ...shared }
}
