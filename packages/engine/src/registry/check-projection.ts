/** Rebuilds what the registry's rows should be from the ledger alone, and names the rows that somebody changed beside it. */
import type { Json, JsonObject, Store } from '@ephor/engine/kernel'
import { compareRows, entryType } from '@ephor/engine/ledger'
import type { ProjectedRow, Projector } from '@ephor/engine/ledger'
import { digestOf } from './check-definitions.ts'
import { digestProfile } from './registry-agents.ts'
import { digestSettings } from './registry-servers.ts'
import { readAgents, readServers, readTools } from './store.ts'
import type { AgentRow, ServerRow, ToolRow } from './store.ts'

type Expected = { servers: Map<string, JsonObject>; tools: Map<string, JsonObject>; agents: Map<string, JsonObject> }

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const keyOf = (server: string, tool: string) => `${server}/${tool}`

function forgetTools(expected: Expected, server: Json | undefined): void {
  for (const key of expected.tools.keys()) if (key.startsWith(`${text(server)}/`)) expected.tools.delete(key)
}

/** One entry's effect on a server or agent row, in the words of the ledger. */
const SERVER_ENTRIES: Record<string, (expected: Expected, body: JsonObject, row: JsonObject) => JsonObject> = {
  'server.proposed': (expected, { server, settings }) => {
    forgetTools(expected, server)
    return { state: 'proposed', settings: settings ?? null, refusal: null }
  },
  'server.accepted': (_, _body, row) => ({ ...row, state: 'accepted' }),
  'server.removed': (expected, { server }, row) => {
    forgetTools(expected, server)
    return { ...row, state: 'removed' }
  },
  'server.refused': (_, { detail }, row) => ({ ...row, refusal: detail ?? null }),
  'server.heard': (_, _body, row) => ({ ...row, refusal: null }),
}

const pick = ({ kind, risk, paths }: JsonObject): JsonObject => ({ kind: kind ?? null, risk: risk ?? null, paths: paths ?? null })

/** Undefined: the row is gone. */
const TOOL_ENTRIES: Record<string, (body: JsonObject, row: JsonObject) => JsonObject | undefined> = {
  'tool.proposed': (body) => ({ state: 'proposed', digest: body['digest'] ?? null, seen_digest: null, ...pick(body) }),
  'tool.accepted': (body) => ({ state: 'accepted', digest: body['digest'] ?? null, seen_digest: null, ...pick(body) }),
  'tool.changed': (body, row) => ({ ...row, state: 'changed', seen_digest: body['digest'] ?? null }),
  'tool.restored': (_, row) => ({ ...row, state: 'accepted', seen_digest: null }),
  'tool.classified': (body, row) => ({ ...row, ...pick(body) }),
  'tool.gone': (_, row) => (row['state'] === 'proposed' ? undefined : { ...row, state: 'gone', seen_digest: null }),
}

const AGENT_ENTRIES: Record<string, (body: JsonObject, row: JsonObject) => JsonObject> = {
  'agent.registered': ({ profile, expiresAt }) => ({
    state: 'active',
    profile: profile ?? null,
    expires_at: expiresAt ?? null,
    groups: [],
    tier: null,
    standing: null,
  }),
  'agent.trusted': ({ groups, tier, standing }, row) => ({
    ...row,
    groups: groups ?? null,
    tier: tier ?? null,
    standing: standing ?? null,
  }),
  'agent.extended': ({ expiresAt }, row) => ({ ...row, expires_at: expiresAt ?? null }),
  'agent.retired': (_, row) => ({ ...row, state: 'retired' }),
  'agent.erased': ({ profile }, row) => ({ ...row, profile: profile ?? null }),
}

function apply(expected: Expected, type: string, body: JsonObject): void {
  const [server, agent] = [text(body['server']), text(body['agent'])]
  const onServer = SERVER_ENTRIES[type]
  if (onServer) expected.servers.set(server, onServer(expected, body, expected.servers.get(server) ?? {}))
  const onAgent = AGENT_ENTRIES[type]
  if (onAgent) expected.agents.set(agent, onAgent(body, expected.agents.get(agent) ?? {}))
  const onTool = TOOL_ENTRIES[type]
  if (!onTool) return
  const key = keyOf(server, text(body['tool']))
  const row = onTool(body, expected.tools.get(key) ?? {})
  if (row) expected.tools.set(key, row)
  else expected.tools.delete(key)
}

const serverRow = ({ name, state, refusal, salt, transport, folders }: ServerRow): [string, ProjectedRow] => [
  name,
  { state, refusal, settings: digestSettings(salt, transport, folders) },
]

/** A definition counts by its own digest, so that neither can be changed without the other. */
const toolRow = (row: ToolRow): [string, ProjectedRow] => [
  keyOf(row.server, row.name),
  {
    state: row.state,
    kind: row.kind,
    risk: row.risk,
    paths: JSON.parse(row.paths) as string[],
    digest: row.digest,
    definition: digestOf(row.definition),
    seen_digest: row.seen_digest,
    seen: row.seen === null ? null : digestOf(row.seen),
  },
]

const agentRow = (row: AgentRow): [string, ProjectedRow] => [
  row.id,
  {
    state: row.state,
    expires_at: row.expires_at,
    profile: digestProfile(row),
    groups: JSON.parse(row.groups) as string[],
    tier: row.tier,
    standing: row.standing,
  },
]

/** What differs in `settings` is transport, folders or salt; in `profile`, it is name, owner, purpose or salt: each has one digest. */
export function registryProjector(store: Store): Projector {
  const expected: Expected = { servers: new Map(), tools: new Map(), agents: new Map() }
  return {
    take: (entry) => apply(expected, entryType(entry), entry.body),
    async finish() {
      const [servers, tools, agents] = await Promise.all([readServers(store), readTools(store), readAgents(store)])
      const toolsExpected = [...expected.tools].map(([key, row]): [string, ProjectedRow] => [
        key,
        { ...row, definition: row['digest'] ?? null, seen: row['seen_digest'] ?? null },
      ])
      return {
        rows: servers.length + tools.length + agents.length,
        differences: [
          ...compareRows('registry_server', expected.servers, new Map(servers.map(serverRow))),
          ...compareRows('registry_tool', new Map(toolsExpected), new Map(tools.map(toolRow))),
          ...compareRows('registry_agent', expected.agents, new Map(agents.map(agentRow))),
        ],
        uncovered: [],
      }
    },
  }
}
