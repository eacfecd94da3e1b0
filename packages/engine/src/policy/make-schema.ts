/** The Cedar schema of a world: the same world always gives the same schema, byte for byte. */
import { createHash } from 'node:crypto'
import type { ActionType, SchemaJson, Type, TypeOfAttribute } from '@cedar-policy/cedar-wasm/nodejs'
import { emptyRecord, inputTypeOf } from './input-type.ts'
import type { Field, LeftOut, RecordShape, ValueType } from './input-type.ts'
import type { PolicyPrincipal, PolicyWorld } from './types.ts'

/** One thing that can be asked for. */
export type ActionInfo = {
  id: string
  principal: PolicyPrincipal['type']
  /** The server whose tool it is; undefined for the protocol's own. */
  server: string | undefined
  groups: readonly string[]
  withGroups: ReadonlySet<string>
  context: RecordShape
}

export type WorldSchema = {
  json: SchemaJson<string>
  digest: string
  actions: ReadonlyMap<string, ActionInfo>
  /** Arguments, and whole tools, that policies can't speak of. */
  leftOut: readonly LeftOut[]
}

const KINDS = ['read', 'write', 'destructive', 'external', 'money', 'identity']
const RISKS = ['risk:low', 'risk:medium', 'risk:high', 'risk:critical']
const PROTOCOL_READS = ['resources/read', 'prompts/get', 'completion/complete']
const SERVER_REQUESTS = ['sampling/createMessage', 'elicitation/create', 'roots/list']
const GROUPS = new Set([...KINDS, ...RISKS, 'tools/call', 'server-request'])

const CEDAR_NAMES = { string: 'String', long: 'Long', bool: 'Boolean' } as const

const field = (type: ValueType, required: boolean): Field => ({ type, required, nullable: false })
const text: ValueType = { kind: 'string' }
const texts: ValueType = { kind: 'set', element: 'string' }

function record(fields: Record<string, Field>): RecordShape {
  const sorted = Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { kind: 'record', fields: new Map(sorted), closed: false, untyped: new Set() }
}

function contextOf(input: RecordShape | undefined, extra: Record<string, Field>): RecordShape {
  return record({ door: field(text, true), approvals: field(texts, true), input: field(input ?? emptyRecord, true), ...extra })
}

const AGENT_EXTRA = {
  onBehalfOf: field({ kind: 'person' }, false),
  paths: field(record({ all: field(texts, true), outside: field(texts, true) }), false),
}

function toCedar(type: ValueType): Type<string> {
  if (type.kind === 'person') return { type: 'Entity', name: 'Person' }
  if (type.kind === 'set') return { type: 'Set', element: { type: CEDAR_NAMES[type.element] } }
  if (type.kind !== 'record') return { type: CEDAR_NAMES[type.kind] }
  const attributes: Record<string, TypeOfAttribute<string>> = {}
  for (const [name, { type: inner, required, nullable }] of type.fields) {
    attributes[name] = { ...toCedar(inner), required: required && !nullable }
  }
  return { type: 'Record', attributes }
}

function action(id: string, principal: PolicyPrincipal['type'], groups: string[], context: RecordShape, server?: string): ActionInfo {
  return { id, principal, server, groups, withGroups: new Set([id, ...groups]), context }
}

function protocolActions(): ActionInfo[] {
  const extra = { ...AGENT_EXTRA, uri: field(text, false), name: field(text, false) }
  return [
    ...PROTOCOL_READS.map((id) => action(id, 'Agent', ['read'], contextOf(undefined, extra))),
    ...SERVER_REQUESTS.map((id) => action(id, 'ToolServer', ['server-request'], contextOf(undefined, {}))),
  ]
}

/** What is asked for in a group is also asked of the group itself, so that a rule on a group without members is still valid. */
function groupActions(): ActionInfo[] {
  return [...GROUPS].map((id) => {
    const isServer = id === 'server-request'
    return action(id, isServer ? 'ToolServer' : 'Agent', [], contextOf(undefined, isServer ? {} : AGENT_EXTRA))
  })
}

function actionType(info: ActionInfo): ActionType<string> {
  return {
    memberOf: info.groups.map((id) => ({ id })),
    appliesTo: { principalTypes: [info.principal], resourceTypes: ['ToolServer'], context: toCedar(info.context) },
  }
}

const STRING = { type: 'String' } as const
const ENTITY_TYPES = {
  Agent: { shape: { type: 'Record', attributes: { name: STRING, owner: STRING, purpose: STRING } } },
  Person: {},
  ToolServer: { shape: { type: 'Record', attributes: { folders: { type: 'Set', element: STRING } } } },
} satisfies SchemaJson<string>[string]['entityTypes']

export function makeSchema(world: PolicyWorld): WorldSchema {
  const actions = new Map(protocolActions().map((info) => [info.id, info]))
  const leftOut: LeftOut[] = []
  for (const tool of world.tools) {
    const id = `${tool.server}/${tool.name}`
    // A server called `resources` with a tool called `read` must not become the protocol's own action, nor two tools one.
    if (tool.server.includes('/') || actions.has(id) || GROUPS.has(id) || !id.isWellFormed() || id.length > 400) {
      leftOut.push({ where: id.slice(0, 400).toWellFormed(), why: 'the name of this tool is taken; every call of it is refused' })
      continue
    }
    const input = inputTypeOf(tool.inputSchema)
    for (const { where, why } of input.leftOut) leftOut.push({ where: `${id}#${where}`, why })
    const groups = [tool.kind, `risk:${tool.risk}`, 'tools/call']
    actions.set(id, action(id, 'Agent', groups, contextOf(input.type, AGENT_EXTRA), tool.server))
  }
  const all = [...groupActions(), ...actions.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const json: SchemaJson<string> = {
    '': { entityTypes: ENTITY_TYPES, actions: Object.fromEntries(all.map((info) => [info.id, actionType(info)])) },
  }
  return { json, digest: digestOf(json), actions, leftOut }
}

/** `sha256:…` of a value's JSON. */
export function digestOf(value: unknown): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(value)).digest('hex')}`
}
