/** OCSF 1.8.0: what its schema demands of the classes that are used, written out from github.com/ocsf/ocsf-schema at v1.8.0 (3dcb905d). */
import type { JsonObject } from '@ephor/engine/kernel'
import { expect, test } from 'vitest'
import { decisionBody } from '../search/search.fixture.ts'
import { toOcsf } from './to-ocsf.ts'

const agent = 'agt_01k0000000000000000000aaaa'
const id = 'dec_01k0000000000000000000dddd'

function eventOf(type: string, more: JsonObject): JsonObject {
  const body = { ...more, type, at: '2026-11-22T08:00:00.000Z', tenant: 'default', v: 1, id }
  return toOcsf('log.test/x', { seq: 7, leafHash: 'ab', body }, JSON.stringify(body))
}

const events: Record<string, JsonObject> = {
  permit: eventOf('decision', decisionBody({ agent, more: { onBehalfOf: 'per_1', trace: `00-${'4b'.repeat(16)}-00f067aa0ba902b7-01` } })),
  deny: eventOf('decision', decisionBody({ agent, effect: 'deny' })),
  hold: eventOf('decision', decisionBody({ agent, effect: 'hold' })),
  'deny of what nobody knows': eventOf('decision', {
    effect: 'deny',
    principal: { type: 'agent', id: agent },
    reasons: [],
    fault: 'TOOL_UNKNOWN',
  }),
  'an enforcement point': eventOf('decision', {
    effect: 'permit',
    principal: { type: 'enforcement-point', id: agent },
    method: 'access/evaluation',
    server: 'app',
    action: 'can_read',
    reasons: ['p/1'],
  }),
  'a failure': eventOf('outcome', { decision: id, status: 'failed', by: 'broker', fault: 'TOOL_FAILED' }),
  'a doubt': eventOf('outcome', { decision: id, status: 'unknown', by: 'recovery' }),
  'anything else': eventOf('server.accepted', { server: 'files', by: 'per_1' }),
}

/** `requirement: required` of base_event, api_activity, finding and detection_finding. */
const REQUIRED: Record<number, string[]> = {
  0: ['activity_id', 'category_uid', 'class_uid', 'metadata', 'severity_id', 'time', 'type_uid'],
  6003: ['actor', 'api', 'src_endpoint'],
  2004: ['finding_info'],
}
/** Members of the classes, with their enumerations where they have one. */
const ENUMS: Record<string, Record<number, number[]>> = {
  category_uid: { 0: [0], 6003: [6], 2004: [2] },
  activity_id: { 0: [0, 99], 6003: [0, 1, 2, 3, 4, 99], 2004: [0, 1, 2, 3, 99] },
  status_id: { 0: [0, 1, 2, 99], 6003: [0, 1, 2, 99], 2004: [0, 1, 2, 3, 4, 5, 6, 99] },
}
const SHARED_ENUMS: Record<string, number[]> = {
  severity_id: [0, 1, 2, 3, 4, 5, 6, 99],
  action_id: [0, 1, 2, 3, 4, 99],
  disposition_id: [...Array.from({ length: 28 }, (_, i) => i), 99],
  risk_level_id: [0, 1, 2, 3, 4, 99],
}
/** `constraints: at_least_one`. */
const ONE_OF: Record<string, string[]> = {
  actor: ['process', 'user', 'iam_role', 'invoked_by', 'session', 'app_name', 'app_uid'],
  src_endpoint: ['ip', 'uid', 'name', 'hostname', 'svc_name', 'instance_uid', 'interface_uid', 'interface_name', 'domain'],
  dst_endpoint: ['ip', 'uid', 'name', 'hostname', 'svc_name', 'instance_uid', 'interface_uid', 'interface_name', 'domain'],
  policy: ['name', 'type', 'uid'],
}

test.each(Object.entries(events))('%s is an event as the schema demands', (_, event) => {
  const uid = event['class_uid'] as number
  for (const name of [...(REQUIRED[0] ?? []), ...(REQUIRED[uid] ?? [])]) expect(event, name).toHaveProperty(name)
  const of = event as Record<string, number>
  expect(of['type_uid']).toBe(uid * 100 + (of['activity_id'] ?? Number.NaN))
  const enums = { ...SHARED_ENUMS, ...Object.fromEntries(Object.entries(ENUMS).map(([name, byClass]) => [name, byClass[uid] ?? []])) }
  const outside = Object.entries(enums).filter(([name, values]) => name in event && !values.includes(of[name] ?? Number.NaN))
  expect(outside).toEqual([])
  const lacking = Object.entries(ONE_OF).filter(
    ([name, members]) => name in event && !members.some((member) => member in Object(event[name])),
  )
  expect(lacking).toEqual([])
  expect(event['time']).toBe(Date.parse('2026-11-22T08:00:00.000Z'))
  expect(event['metadata']).toMatchObject({ version: '1.8.0', product: { name: 'Ephor' }, uid: 'log.test/x#7' })
  // An activity of our own says what it is.
  expect(event['activity_id'] === 99).toBe(event['activity_name'] !== undefined && event['activity_name'] !== 'Create')
  expect(JSON.stringify(event)).not.toContain('null')
})

test('calls and outcomes are API Activity, refusals and holds are findings, and each keeps the body', () => {
  expect(Object.values(events).map((event) => event['class_uid'])).toEqual([6003, 2004, 2004, 2004, 6003, 6003, 6003, 0])
  expect(events['deny']).toMatchObject({
    is_alert: true,
    severity_id: 4,
    finding_info: { uid: id },
    action_id: 2,
    disposition_id: 2,
    resources: [{ name: 'files/read_file' }],
    policy: { uid: 'folders/outside' },
    evidences: [{ actor: { app_uid: agent } }],
  })
  expect(events['hold']).toMatchObject({ is_alert: false, action_id: 99, action: 'Held' })
  expect(events['permit']).toMatchObject({ actor: { user: { uid: 'per_1' } }, action_id: 1, unmapped: { trace: '4b'.repeat(16) } })
  expect(events['a failure']).toMatchObject({ status_id: 2, status_code: 'TOOL_FAILED', metadata: { correlation_uid: id } })
  for (const event of Object.values(events)) expect(JSON.parse(event['raw_data'] as string)).toMatchObject({ id })
})
