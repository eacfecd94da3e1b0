/** The registry on the wire: tool servers, their pinned tools, agents, and the operations that manage them. */
import { z } from 'zod'
import type { Operations } from './operation.ts'
import { PageQuery, pageOf } from './page.ts'

export const ToolKind = z
  .enum(['read', 'write', 'destructive', 'external', 'money', 'identity'])
  .describe('What a tool does to the world, as an operator confirmed it.')
export type ToolKind = z.output<typeof ToolKind>

export const Risk = z.enum(['low', 'medium', 'high', 'critical'])
export type Risk = z.output<typeof Risk>

/** No `_`: the gateway joins server and tool as `server__tool`, which must split in one way only. */
/** A server of that name could give a tool the id of an action of the protocol, such as `resources/read`. */
const PROTOCOL_WORDS = new Set(['tools', 'resources', 'prompts', 'completion', 'sampling', 'elicitation', 'roots'])

export const ServerName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,40}$/, 'lower-case letters, digits and hyphens, at most 41')
  .refine((name) => !PROTOCOL_WORDS.has(name), 'the name is a word of the protocol; choose another')

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 hexadecimal digits')
const Text = (max: number) => z.string().min(1).max(max)
const Values = z.record(z.string().min(1).max(256), z.string().max(16_384))

/** How to reach a tool server. Any value (an argument, an environment value, a header, the address) may be `secret:NAME`. */
export const Transport = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('stdio'),
    command: Text(4096),
    args: z.array(z.string().max(16_384)).max(256).default([]),
    env: Values.default({}),
    cwd: Text(4096).optional(),
  }),
  z.strictObject({ type: z.literal('http'), url: Text(4096), headers: Values.default({}) }),
])
export type Transport = z.output<typeof Transport>

const Paths = z
  .array(z.string().max(512).startsWith('/'))
  .max(64)
  .describe('JSON pointers of the arguments that are file paths; `*` stands for every element, as in `/paths/*`.')

export const Classification = z.strictObject({ kind: ToolKind.optional(), risk: Risk.optional(), paths: Paths.optional() })
export type Classification = z.output<typeof Classification>

export const ServerDraft = z.strictObject({
  name: ServerName,
  transport: Transport,
  folders: z.array(Text(4096)).max(64).default([]).describe('Absolute folders that its path arguments are confined to.'),
})
export type ServerDraft = z.output<typeof ServerDraft>

export const ToolView = z.object({
  server: z.string(),
  name: z.string(),
  state: z.enum(['proposed', 'accepted', 'changed', 'gone']),
  kind: ToolKind,
  risk: Risk,
  paths: z.array(z.string()),
  digest: z.string().describe('Of the accepted definition; of the seen one while proposed.'),
  title: z.string().optional().describe('As the server gave it, without control and invisible characters.'),
  description: z.string().optional().describe('Untrusted text, without control and invisible characters.'),
  definition: z.record(z.string(), z.unknown()).optional().describe('The whole definition, where one server is shown.'),
})
export type ToolView = z.output<typeof ToolView>

export const ServerView = z.object({
  name: z.string(),
  state: z.enum(['proposed', 'accepted', 'removed']),
  transport: z.record(z.string(), z.unknown()).describe('Environment and header values are shown as `secret:NAME` or `(set)` only.'),
  folders: z.array(z.string()),
  error: z.string().optional(),
  digest: z.string().describe('Of everything an operator accepts: transport, folders and seen tools. Also its ETag.'),
  tools: z.object({ proposed: z.number(), accepted: z.number(), changed: z.number(), gone: z.number() }),
})
export type ServerView = z.output<typeof ServerView>

export const Difference = z.object({
  where: z.string().describe('JSON pointer into the definition.'),
  change: z.enum(['added', 'removed', 'changed']),
  text: z.string().describe('The difference in words; invisible characters are written out as ⟨U+….⟩.'),
  parts: z
    .array(z.object({ op: z.enum(['same', 'added', 'removed']), text: z.string() }))
    .optional()
    .describe('For text: what stayed, came and went, in order.'),
})
export type Difference = z.output<typeof Difference>

export const ToolDiff = z.object({
  tool: z.string(),
  state: z.enum(['proposed', 'accepted', 'changed', 'gone']),
  from: z.string().optional().describe('Digest of the accepted definition.'),
  to: z.string().optional().describe('Digest of the definition seen now.'),
  proposal: z.object({ kind: ToolKind, risk: Risk, paths: z.array(z.string()) }).describe('What accepting would classify it as.'),
  differences: z.array(Difference),
})
export type ToolDiff = z.output<typeof ToolDiff>

export const Standing = z.enum(['new', 'good', 'watched']).describe('What the record of an agent says so far.')
export type Standing = z.output<typeof Standing>
const TeamName = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'a lower-case name such as finance')
const Tier = z.int().min(0).max(9).describe('How far it is trusted: the higher, the less it may do.')

export const AgentView = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string(),
  purpose: z.string(),
  expiresAt: z.iso.datetime(),
  state: z.enum(['active', 'retired']),
  groups: z.array(z.string()).describe('Teams that it is in, besides the one that owns it.'),
  tier: Tier.optional(),
  standing: Standing.optional(),
})
export type AgentView = z.output<typeof AgentView>

const serverParams = z.object({ name: ServerName })
const agentParams = z.object({ id: z.string().max(64) })
const Expiry = z.iso.datetime().describe('At most 366 days ahead; 90 days unless said.')

export const registryOperations = {
  listServers: {
    method: 'GET',
    path: '/v1/servers',
    summary: 'List the tool servers',
    tag: 'registry',
    who: 'person',
    query: PageQuery,
    response: pageOf(ServerView),
  },
  proposeServer: {
    method: 'POST',
    path: '/v1/servers',
    summary: 'Propose a tool server: Ephor connects to it and lists its tools; nothing is callable until it is accepted',
    tag: 'registry',
    who: 'person',
    body: ServerDraft,
    status: 201,
    response: ServerView,
  },
  showServer: {
    method: 'GET',
    path: '/v1/servers/{name}',
    summary: 'Show a tool server with its tools',
    tag: 'registry',
    who: 'person',
    params: serverParams,
    response: ServerView.extend({ list: z.array(ToolView) }),
  },
  diffServer: {
    method: 'GET',
    path: '/v1/servers/{name}/diff',
    summary: 'Show what accepting the server now would change, tool by tool',
    tag: 'registry',
    who: 'person',
    params: serverParams,
    response: z.object({ digest: z.string(), findings: z.array(z.string()), tools: z.array(ToolDiff) }),
  },
  acceptServer: {
    method: 'POST',
    path: '/v1/servers/{name}/accept',
    summary: 'Accept the server as it was seen: its tools are pinned and become callable',
    tag: 'registry',
    who: 'person',
    params: serverParams,
    body: z.strictObject({
      digest: Digest.describe('The `digest` of what was looked at.'),
      tools: z.record(z.string().max(128), Classification).optional(),
    }),
    response: ServerView,
  },
  removeServer: {
    method: 'DELETE',
    path: '/v1/servers/{name}',
    summary: 'Remove a tool server',
    tag: 'registry',
    who: 'person',
    params: serverParams,
    response: ServerView,
  },
  listTools: {
    method: 'GET',
    path: '/v1/tools',
    summary: 'List the tools',
    tag: 'registry',
    who: 'person',
    query: PageQuery.extend({ server: ServerName.optional() }),
    response: pageOf(ToolView),
  },
  classifyTool: {
    method: 'PUT',
    path: '/v1/tools/{server}/{name}',
    summary: 'Confirm the kind, risk and path arguments of a tool',
    tag: 'registry',
    who: 'person',
    params: z.object({ server: ServerName, name: z.string().min(1).max(128) }),
    body: z.strictObject({ kind: ToolKind, risk: Risk, paths: Paths }),
    response: ToolView,
  },
  listAgents: {
    method: 'GET',
    path: '/v1/agents',
    summary: 'List the agents',
    tag: 'registry',
    who: 'person',
    query: PageQuery,
    response: pageOf(AgentView),
  },
  registerAgent: {
    method: 'POST',
    path: '/v1/agents',
    summary: 'Register an agent',
    tag: 'registry',
    who: 'person',
    body: z.strictObject({
      name: Text(80),
      owner: Text(120).optional().describe('A person (`per_…`) or a team; the caller unless said.'),
      purpose: Text(500),
      expiresAt: Expiry.optional(),
    }),
    status: 201,
    response: AgentView,
  },
  showAgent: {
    method: 'GET',
    path: '/v1/agents/{id}',
    summary: 'Show an agent',
    tag: 'registry',
    who: 'person',
    params: agentParams,
    response: AgentView,
  },
  retireAgent: {
    method: 'POST',
    path: '/v1/agents/{id}/retire',
    summary: 'Retire an agent: its credentials open nothing from then on',
    tag: 'registry',
    who: 'person',
    params: agentParams,
    response: AgentView,
  },
  trustAgent: {
    method: 'POST',
    path: '/v1/agents/{id}/trust',
    summary: 'Say how far an agent is trusted, for policies to go by; replaces what was said before',
    tag: 'registry',
    who: 'person',
    params: agentParams,
    body: z.strictObject({ groups: z.array(TeamName).max(50).default([]), tier: Tier.optional(), standing: Standing.optional() }),
    response: AgentView,
  },
  extendAgent: {
    method: 'POST',
    path: '/v1/agents/{id}/extend',
    summary: 'Extend the registration of an agent',
    tag: 'registry',
    who: 'person',
    params: agentParams,
    body: z.strictObject({ expiresAt: Expiry.optional() }),
    response: AgentView,
  },
} satisfies Operations
