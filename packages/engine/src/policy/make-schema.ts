/** The Cedar schema of a world: the same world always gives the same schema, byte for byte. */
import type { ActionType, SchemaJson, Type, TypeOfAttribute } from '@cedar-policy/cedar-wasm/nodejs'
import type { CedarType, RecordType } from '@ephor/cedar'
import { contextShapes } from './context-shape.ts'
import { digestOf } from './digest.ts'
import { inputTypeOf } from './input-type.ts'
import type { LeftOut, RecordShape, ValueType } from './input-type.ts'
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
  /** The same for the engine. */
  type: RecordType
  /** What an operator confirmed of the tool; undefined for the protocol's own. */
  tool: Pick<PolicyWorld['tools'][number], 'kind' | 'risk'> | undefined
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

function toCedar(type: ValueType): Type<string> {
  if (type.kind === 'person') return { type: 'Entity', name: 'Person' }
  if (type.kind === 'datetime') return { type: 'Extension', name: 'datetime' }
  if (type.kind === 'set') return { type: 'Set', element: { type: CEDAR_NAMES[type.element] } }
  if (type.kind !== 'record') return { type: CEDAR_NAMES[type.kind] }
  return type.name === undefined ? recordType(type) : { type: type.name }
}

function recordType(shape: RecordShape): Type<string> {
  const attributes: Record<string, TypeOfAttribute<string>> = {}
  for (const [name, { type, required, nullable }] of shape.fields) attributes[name] = { ...toCedar(type), required: required && !nullable }
  return { type: 'Record', attributes }
}

function typeOf(type: ValueType): CedarType {
  if (type.kind === 'person') return { kind: 'entity', name: 'Person' }
  if (type.kind === 'datetime') return { kind: 'extension', name: 'datetime' }
  if (type.kind === 'set') return { kind: 'set', element: { kind: type.element } }
  return type.kind === 'record' ? typeOfRecord(type) : { kind: type.kind }
}

function typeOfRecord({ fields }: RecordShape): RecordType {
  const attributes = [...fields].map(
    ([name, { type, required, nullable }]) => [name, { type: typeOf(type), required: required && !nullable }] as const,
  )
  return { kind: 'record', attributes: new Map(attributes) }
}

type Draft = Pick<ActionInfo, 'id' | 'principal' | 'groups' | 'context'> & Partial<Pick<ActionInfo, 'server' | 'tool'>>

function action(draft: Draft): ActionInfo {
  const { id, groups, context } = draft
  return { server: undefined, tool: undefined, ...draft, withGroups: new Set([id, ...groups]), type: typeOfRecord(context) }
}

type Shapes = ReturnType<typeof contextShapes>

function protocolActions({ context }: Shapes): ActionInfo[] {
  return [
    ...PROTOCOL_READS.map((id) => action({ id, principal: 'Agent', groups: ['read'], context: context('protocol') })),
    ...SERVER_REQUESTS.map((id) => action({ id, principal: 'ToolServer', groups: ['server-request'], context: context('server-request') })),
  ]
}

/** What is asked for in a group is also asked of the group itself, so that a rule on a group without members is still valid. */
function groupActions({ context }: Shapes): ActionInfo[] {
  return [...GROUPS].map((id) => {
    const [principal, kind] = id === 'server-request' ? (['ToolServer', id] as const) : (['Agent', 'tool'] as const)
    return action({ id, principal, groups: [], context: context(kind) })
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
  Agent: {
    memberOfTypes: ['Team'],
    shape: {
      type: 'Record',
      attributes: {
        name: STRING,
        owner: STRING,
        purpose: STRING,
        tier: { type: 'Long', required: false },
        standing: { type: 'String', required: false },
      },
    },
  },
  Group: {},
  Person: { memberOfTypes: ['Group'] },
  Service: { memberOfTypes: ['Group'] },
  Team: {},
  ToolServer: { shape: { type: 'Record', attributes: { folders: { type: 'Set', element: STRING } } } },
} satisfies SchemaJson<string>[string]['entityTypes']

/** @param budgets names that the charter declares: `context.budget` has one optional record for each */
export function makeSchema(world: Pick<PolicyWorld, 'tools'>, budgets: readonly string[]): WorldSchema {
  const shapes = contextShapes(budgets)
  const actions = new Map(protocolActions(shapes).map((info) => [info.id, info]))
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
    const context = shapes.context('tool', input.type)
    actions.set(id, action({ id, principal: 'Agent', groups, context, server: tool.server, tool: { kind: tool.kind, risk: tool.risk } }))
  }
  const all = [...groupActions(shapes), ...actions.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const json: SchemaJson<string> = {
    '': {
      commonTypes: Object.fromEntries(shapes.named.map((shape) => [shape.name ?? '', recordType(shape)])),
      entityTypes: ENTITY_TYPES,
      actions: Object.fromEntries(all.map((info) => [info.id, actionType(info)])),
    },
  }
  return { json, digest: digestOf(json), actions, leftOut }
}
