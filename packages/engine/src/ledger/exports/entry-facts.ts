/** What exports say of an entry in columns and members of others: read from the body, absent where it says nothing. */
import type { Json, JsonObject } from '@ephor/engine/kernel'

const text = (value: Json | undefined) => (typeof value === 'string' ? value : undefined)
const member = (value: Json | undefined, name: string): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value[name] : undefined
const texts = (value: Json | undefined) => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [])

export type EntryFacts = ReturnType<typeof factsOf>

export function factsOf(body: JsonObject) {
  const { principal, tool, trace } = body
  const type = text(body['type']) ?? ''
  return {
    type,
    at: text(body['at']) ?? '',
    id: text(body['id']),
    tenant: text(body['tenant']),
    decision: type === 'decision' ? text(body['id']) : text(body['decision']),
    effect: text(body['effect']) ?? text(body['verdict']),
    outcome: type === 'outcome' ? text(body['status']) : undefined,
    fault: text(body['fault']),
    agent: member(principal, 'type') === 'tool-server' ? text(body['agent']) : (text(member(principal, 'id')) ?? text(body['agent'])),
    person: text(body['onBehalfOf']) ?? (text(body['by'])?.startsWith('per_') ? text(body['by']) : text(body['person'])),
    server: text(body['server']) ?? text(body['application']),
    tool: text(member(tool, 'name')) ?? text(tool) ?? text(body['action']),
    kind: text(member(tool, 'kind')),
    risk: text(member(body['risk'], 'tier')) ?? text(member(tool, 'risk')),
    method: text(body['method']),
    door: text(body['door']),
    policies: texts(body['reasons']),
    version: text(body['policy']),
    session: text(body['session']),
    trace: text(trace)?.split('-')[1] ?? text(trace),
    by: text(body['by']),
  }
}
