/** The benchmark's rules in Cedar: for our evaluator, and for the official engine in the two ways in which it can be used. */
import { setFlagsFromString } from 'node:v8'
import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs'
import { compilePolicies, createEntities, evaluate, readEntities, readType, typedRecord } from '@ephor/cedar'
import type { PolicyJson, RecordType } from '@ephor/cedar'
import type { Engine } from './engines.ts'
import { folder, team, testsText } from './workload.ts'
import type { Request, Rule } from './workload.ts'

// Without it, one workload aborted the process under Node 20 and 22. It has to be set before the module is compiled.
setFlagsFromString('--no-turbo-inline-js-wasm-calls')
const cedar = await import('@cedar-policy/cedar-wasm/nodejs')

function cedarText({ effect, tool, team: ofTeam, folder: inFolder, tests }: Rule): string {
  const principal = ofTeam === undefined ? 'principal' : `principal in Team::"${ofTeam}"`
  const action = tool === undefined ? 'action' : `action == Action::"${tool}"`
  const resource = inFolder === undefined ? 'resource' : `resource in Folder::"${inFolder}"`
  return `${effect}(${principal}, ${action}, ${resource}) when { ${testsText(tests, (name) => `context.${name}`)} };`
}

const node = (type: string, id: string, parents: { type: string; id: string }[] = []) => ({ uid: { type, id }, attrs: {}, parents })
const ENTITIES = [
  ...[0, 1, 2].flatMap((n) => [node('Agent', `agent${n}`, [{ type: 'Team', id: team(n) }]), node('Team', team(n))]),
  ...[0, 1].flatMap((n) => [node('File', `file${n}`, [{ type: 'Folder', id: folder(n) }]), node('Folder', folder(n))]),
]

const uids = ({ agent, tool, file }: Request) => ({
  principal: { type: 'Agent', id: agent },
  action: { type: 'Action', id: tool },
  resource: { type: 'File', id: file },
})

const long = ['amount', 'size', 'score', 'calls', 'hour'].map((name) => [name, { type: 'Long' }])
const string = ['region', 'env', 'tier', 'channel', 'purpose', 'path'].map((name) => [name, { type: 'String' }])
const boolean = ['internal', 'verified', 'weekend'].map((name) => [name, { type: 'Boolean' }])
const CONTEXT = readType({
  type: 'Record',
  attributes: Object.fromEntries([...long, ...string, ...boolean, ['labels', { type: 'Set', element: { type: 'String' } }]]),
}) as RecordType

function ours(rules: readonly Rule[]) {
  const json = rules.map((rule, i): [string, PolicyJson] => {
    const answer = cedar.policyToJson(cedarText(rule))
    if (answer.type === 'failure') throw new Error(answer.errors[0]?.message ?? 'not parsed')
    return [`policy${i}`, answer.json as PolicyJson]
  })
  const [set, entities] = [compilePolicies(json), createEntities(readEntities(ENTITIES))]
  return (request: Request) =>
    evaluate(set, entities, { ...uids(request), context: typedRecord(CONTEXT, request.context) }).decision === 'allow'
}

function allowed(answer: AuthorizationAnswer): boolean {
  if (answer.type === 'failure') throw new Error(answer.errors[0]?.message ?? 'refused')
  return answer.response.decision === 'allow'
}

function preparse(id: string, rules: readonly Rule[]): string {
  const staticPolicies = Object.fromEntries(rules.map((rule, i) => [`policy${i}`, cedarText(rule)]))
  const answer = cedar.preparsePolicySet(id, { staticPolicies })
  if (answer.type === 'failure') throw new Error(answer.errors[0]?.message ?? 'not parsed')
  return id
}

type Context = Record<string, never>

function stateful(rules: readonly Rule[]) {
  const preparsedPolicySetId = preparse('all', rules)
  return (request: Request) =>
    allowed(cedar.statefulIsAuthorized({ ...uids(request), context: request.context as Context, preparsedPolicySetId, entities: ENTITIES }))
}

/** A set of policies for each tool, and of entities and context only what is looked at. */
function sliced(rules: readonly Rule[]) {
  const slices = new Map<string, { id: string; attributes: string[] }>()
  for (const tool of new Set(rules.flatMap((rule) => rule.tool ?? []))) {
    const slice = rules.filter((rule) => rule.tool === undefined || rule.tool === tool)
    const attributes = [...new Set(slice.flatMap(({ tests }) => tests.map(({ attribute }) => attribute)))]
    slices.set(tool, { id: preparse(tool, slice), attributes })
  }
  const byId = new Map(ENTITIES.map((entity) => [entity.uid.id, entity]))
  return (request: Request) => {
    const { id, attributes } = slices.get(request.tool) ?? { id: '', attributes: [] }
    const context = Object.fromEntries(attributes.map((name) => [name, request.context[name]])) as Context
    const entities = [byId.get(request.agent), byId.get(request.file)].filter((entity) => entity !== undefined)
    return allowed(cedar.statefulIsAuthorized({ ...uids(request), context, preparsedPolicySetId: id, entities }))
  }
}

export const cedarEngines: [Engine, ...Engine[]] = [
  { name: 'Ephor: Cedar, compiled', open: ours },
  { name: 'cedar-wasm, stateful', open: stateful },
  { name: 'cedar-wasm, sliced by tool and trimmed', open: sliced },
]
