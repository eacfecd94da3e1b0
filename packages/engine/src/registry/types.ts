/** The registry's words: what a tool server, a tool and an agent are, and what the registry answers and does. */
import type { Classification, Difference, Risk, ServerDraft, Standing, ToolDiff, ToolKind, Transport } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Entry, Part, Projector } from '@ephor/engine/ledger'

export type { Classification, Difference, Risk, ServerDraft, Standing, ToolDiff, ToolKind, Transport }

export type ToolServer = {
  /** `[a-z0-9][a-z0-9-]{0,40}` */
  name: string
  /** Any value may be `secret:NAME`; the vault resolves it where the server is started. */
  transport: Transport
  state: 'proposed' | 'accepted' | 'removed'
  /** Absolute folders that path arguments are confined to; none means that the server has no such confinement. */
  folders: string[]
  /** Why its last tool list was refused, or why it could not be reached. */
  error?: string
  /** Digest of everything an operator accepts: transport, folders, and each tool as it is seen now. */
  digest: string
}

/** The whole definition as the server gave it. Untrusted text throughout. */
export type ToolDefinition = JsonObject & { name: string; inputSchema: JsonObject }

export type Tool = {
  server: string
  /** The server's own name for it. */
  name: string
  /** Only `accepted` is callable. */
  state: 'proposed' | 'accepted' | 'changed' | 'gone'
  /** Of the accepted definition; of the seen one while proposed. */
  digest: string
  kind: ToolKind
  risk: Risk
  /** JSON pointers of the arguments that are file paths, `*` for every element: `/path`, `/paths/*`. */
  paths: string[]
  /** The accepted one; the seen one while proposed. */
  definition: ToolDefinition
  /** What the server gives now, when that differs from what was accepted. */
  seen?: ToolDefinition
}

export type Agent = {
  /** `agt_…` */
  id: string
  name: string
  /** `per_…` or the name of a team. */
  owner: string
  purpose: string
  /** Milliseconds since 1970. */
  expiresAt: number
  state: 'active' | 'retired'
} & Trust

/** How far people trust an agent: policies and the charter go by it. */
export type Trust = {
  /** Teams that it is in, besides the one that owns it. */
  groups: string[]
  /** 0 to 9; the higher, the less it may do. */
  tier?: number
  standing?: Standing
}

export type AgentDraft = {
  name: string
  owner: string
  purpose: string
  /** Milliseconds since 1970; 90 days from now unless said. */ expiresAt?: number
}

/** `digest`: of what was looked at. `tools`: where the operator's classification differs from the proposed one. */
export type Acceptance = { digest?: string; tools?: Record<string, Classification> | undefined }

/**
 * Reads are synchronous, from memory. Writes resolve once they are durable with their ledger entries; `by` is a
 * `per_…` id or 'system'.
 */
export interface Registry {
  /** Every server that is not removed, by name. */
  servers(): ToolServer[]
  /** Also a removed one: look at `state`. */
  server(name: string): ToolServer | undefined
  tools(server?: string): Tool[]
  /** By its exact name; a look-alike finds nothing. */
  tool(server: string, name: string): Tool | undefined
  agents(): Agent[]
  agent(id: string): Agent | undefined

  /**
   * The same draft again answers the same server.
   * @param prepare runs once the draft is known to fit, before it is written: the moment to store its secrets
   * @throws Fault CONFLICT when the name is taken by another transport or other folders; REQUEST_INVALID.
   */
  proposeServer(draft: ServerDraft, by: string, prepare?: () => Promise<void>): Promise<ToolServer>
  /**
   * The server's whole tool list as the gateway just got it: new tools become proposed, different ones changed, missing
   * ones gone. @throws Fault SERVER_REFUSED when the list is over the limits or names a tool twice: then it is recorded in
   * `error` and none of the server's tools stays callable until a good list comes. Nor does any when it can't be recorded:
   * STORE_UNAVAILABLE.
   */
  observeTools(server: string, definitions: readonly JsonObject[]): Promise<void>
  /** The server could not be reached: kept in `error` until it next lists its tools. Health, not evidence: no ledger entry. */
  observeFailure(server: string, detail: string): void
  /**
   * Accepts the server and pins every tool as seen.
   * @throws Fault CONFLICT when `digest` is given and is not the server's digest now; SERVER_REFUSED with the findings
   *   (look-alike or invisible names, a refused tool list); SERVER_UNKNOWN; REQUEST_INVALID for a tool that is not there.
   */
  acceptServer(name: string, choice: Acceptance, by: string): Promise<ToolServer>
  /** @throws Fault SERVER_UNKNOWN, TOOL_UNKNOWN */
  classifyTool(server: string, tool: string, as: { kind: ToolKind; risk: Risk; paths: string[] }, by: string): Promise<Tool>
  /** What accepting now would change, tools without a difference left out. @throws Fault SERVER_UNKNOWN */
  diffServer(name: string): ToolDiff[]
  /** Why the server can't be accepted as it is; empty when it can. */
  findings(name: string): string[]
  removeServer(name: string, by: string): Promise<ToolServer>

  registerAgent(draft: AgentDraft, by: string): Promise<Agent>
  /** @throws Fault AGENT_UNKNOWN, AGENT_RETIRED, REQUEST_INVALID */
  extendAgent(id: string, expiresAt: number | undefined, by: string): Promise<Agent>
  /** Replaces what was said before. @throws Fault AGENT_UNKNOWN */
  trustAgent(id: string, trust: Trust, by: string): Promise<Agent>
  /** Retiring twice is the same as once. @throws Fault AGENT_UNKNOWN */
  retireAgent(id: string, by: string): Promise<Agent>
  /** Whether neither name nor purpose of it are known any more. @throws Fault AGENT_UNKNOWN */
  isErased(id: string): boolean
  /**
   * Overwrites name and purpose of a retired agent with a neutral text, and the salt of what the ledger says of them.
   * @param append writes what it is given, perhaps with more, in one unit; or nothing of it, and says which
   * @throws Fault AGENT_UNKNOWN, STILL_ACTING
   */
  eraseAgent<T>(id: string, by: string, append: (part: Part) => Promise<{ done: T; written: boolean }>): Promise<T>

  /** Says what the registry's rows should be. */
  projector(): Projector
  /** Takes over what another replica wrote, of which this is the entry. */
  follow(entry: Entry): Promise<void>
  /** Told after each commit, own or followed. @returns stops the telling */
  on(listener: (change: { server?: string; agent?: string }) => void): () => void
}
