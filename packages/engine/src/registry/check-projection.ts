/** Rebuilds what the registry's rows should be from the ledger alone, and names the first row that somebody changed beside it. */
import type { Json, JsonObject, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import { canonicalize } from '@ephor/proof'
import { digestOf } from './check-definitions.ts'
import { digestProfile } from './registry-agents.ts'
import { digestSettings } from './registry-servers.ts'
import { readAgents, readServers, readTools } from './store.ts'
import type { ProjectionCheck } from './types.ts'

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
  'tool.proposed': (body) => ({ state: 'proposed', digest: body['digest'] ?? null, seen: null, ...pick(body) }),
  'tool.accepted': (body) => ({ state: 'accepted', digest: body['digest'] ?? null, seen: null, ...pick(body) }),
  'tool.changed': (body, row) => ({ ...row, state: 'changed', seen: body['digest'] ?? null }),
  'tool.restored': (_, row) => ({ ...row, state: 'accepted', seen: null }),
  'tool.classified': (body, row) => ({ ...row, ...pick(body) }),
  'tool.gone': (_, row) => (row['state'] === 'proposed' ? undefined : { ...row, state: 'gone', seen: null }),
}

const AGENT_ENTRIES: Record<string, (body: JsonObject, row: JsonObject) => JsonObject> = {
  'agent.registered': ({ profile, expiresAt }) => ({
    state: 'active',
    profile: profile ?? null,
    expiresAt: expiresAt ?? null,
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
  'agent.extended': ({ expiresAt }, row) => ({ ...row, expiresAt: expiresAt ?? null }),
  'agent.retired': (_, row) => ({ ...row, state: 'retired' }),
}

function apply(expected: Expected, body: JsonObject): void {
  const [type, server, agent] = [text(body['type']), text(body['server']), text(body['agent'])]
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

async function replay(ledger: Ledger): Promise<Expected> {
  const expected: Expected = { servers: new Map(), tools: new Map(), agents: new Map() }
  for (let after: number | undefined; ;) {
    const entries = await ledger.list({ limit: 500, ...(after === undefined ? {} : { after }) })
    for (const { body } of entries) apply(expected, body)
    after = entries.at(-1)?.seq
    if (after === undefined) return expected
  }
}

function compare(table: string, expected: Map<string, JsonObject>, actual: Map<string, JsonObject>): ProjectionCheck {
  for (const key of [...new Set([...expected.keys(), ...actual.keys()])].toSorted()) {
    const [should, is] = [expected.get(key), actual.get(key)]
    if (!is || !should)
      return {
        ok: false,
        table,
        key,
        detail: is ? 'the row is there and the ledger has no entry for it' : 'the ledger has it and the row is missing',
      }
    const field = Object.keys(should).find((name) => canonicalize(should[name]) !== canonicalize(is[name] ?? null))
    if (field !== undefined) return { ok: false, table, key, detail: `its ${field} is not what the ledger says` }
  }
  return { ok: true, rows: actual.size }
}

export async function checkProjection(store: Store, ledger: Ledger): Promise<ProjectionCheck> {
  const [servers, tools, agents] = await Promise.all([readServers(store), readTools(store), readAgents(store)])
  const expected = await replay(ledger)
  const serverRows = servers.map(({ name, state, refusal, salt, transport, folders }): [string, JsonObject] => [
    name,
    { state, refusal, settings: digestSettings(salt, transport, folders) },
  ])
  // The digests are computed from the stored definitions, so that neither can be changed without the other.
  const toolRows = tools.map((row): [string, JsonObject] => [
    keyOf(row.server, row.name),
    {
      state: row.state,
      kind: row.kind,
      risk: row.risk,
      paths: JSON.parse(row.paths) as string[],
      digest: digestOf(row.definition) === row.digest ? row.digest : 'not of the stored definition',
      seen: row.seen === null ? row.seen_digest : digestOf(row.seen) === row.seen_digest ? row.seen_digest : 'not of the stored definition',
    },
  ])
  const agentRows = agents.map((row): [string, JsonObject] => [
    row.id,
    {
      state: row.state,
      expiresAt: row.expires_at,
      profile: digestProfile(row),
      groups: JSON.parse(row.groups) as string[],
      tier: row.tier,
      standing: row.standing,
    },
  ])
  const checks = [
    compare('registry_server', expected.servers, new Map(serverRows)),
    compare('registry_tool', expected.tools, new Map(toolRows)),
    compare('registry_agent', expected.agents, new Map(agentRows)),
  ]
  return checks.find((check) => !check.ok) ?? { ok: true, rows: servers.length + tools.length + agents.length }
}
