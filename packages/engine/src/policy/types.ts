/** The words of this room: the world that policies speak about, a question, and the decision that answers it. */
import type { FaultCode } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Charge } from './charter/charges.ts'

/** What exists, as the registry has accepted it. Everything else is refused before a policy is asked. */
export type PolicyWorld = {
  agents: readonly {
    id: string
    name: string
    /** `per_…` or the name of a team. */
    owner: string
    purpose: string
    /** Teams that it is in: `principal in Team::"finance"`. */
    groups?: readonly string[]
    /** How far it is trusted, as whoever registers it says; higher is less. */
    tier?: number
    /** What its record so far says. */
    standing?: Standing
  }[]
  /** By opaque id, without names: a snapshot of the world is kept for good. */
  people?: readonly { id: string; groups: readonly string[] }[]
  /** Programs other than agents that ask on their own behalf. */
  services?: readonly { id: string; groups: readonly string[] }[]
  servers: readonly { name: string; folders: readonly string[] }[]
  tools: readonly {
    server: string
    name: string
    kind: 'read' | 'write' | 'destructive' | 'external' | 'money' | 'identity'
    risk: 'low' | 'medium' | 'high' | 'critical'
    /** The accepted definition's JSON Schema. Written by the tool server, so untrusted. */
    inputSchema: JsonObject
  }[]
}

export type Standing = 'new' | 'good' | 'watched'

export type PolicyPrincipal = { type: 'Agent' | 'ToolServer'; id: string }

/** An approval that a person gave to exactly this call. */
export type GivenApproval = {
  /** `apr_…` */
  id: string
  /** `per_…` of everybody who approved. */
  by: readonly string[]
  /** The policies whose asks it answers: `Ask.policy` of the decision that was held. */
  policies: readonly string[]
}

export type PolicyFacts = {
  door: string
  /** The call's file paths, canonical, and those of them outside the folders that the server is confined to. */
  paths?: { all: readonly string[]; outside: readonly string[] }
  uri?: string
  name?: string
  /** `per_…` that the credential says the agent acts for. */
  onBehalfOf?: string
  approvals: readonly GivenApproval[]
  /** ms since 1970 */
  now: number
  session?: {
    /** The digest that the record names it by. */
    id: string
    /** Permitted in it before this one. */
    calls: number
    /** ms since 1970: its first call. */
    startedAt: number
  }
  /** What is known of where the arguments came from. */
  labels?: readonly string[]
  /** Of each budget that covers the call, by its name in the charter. */
  budgets?: Readonly<Record<string, { used: number; left: number; limit: number }>>
  /** What the call would pay: `value` in minor units, a safe integer; `currency` as the arguments say. */
  amount?: { value: number; currency: string }
  /** This agent was never permitted this tool before. */
  novel?: boolean
  /** What kinds of data the tool touches. */
  dataCategories?: readonly string[]
}

export type PolicyRequest = {
  principal: PolicyPrincipal
  /** `server/tool` for a tool, or one of the protocol's own: `resources/read`, `sampling/createMessage`, … */
  action: string
  /** The tool server that is the resource. */
  server: string
  /** The agent's arguments: data, whatever it looks like. */
  input: JsonObject
  facts: PolicyFacts
}

/** A policy's `@reason`, for people and agents. */
export type Reason = { policy: string; text: string }

export type Obligation =
  | { kind: 'limit'; count: number; per: 'minute' | 'hour' | 'day'; policy: string }
  | { kind: 'timeout'; ms: number; policy: string }
  /** What is found of this category in the result does not reach the agent. */
  | { kind: 'redact'; category: string; policy: string }
  /** The call runs confined by this profile, or not at all. */
  | { kind: 'sandbox'; profile: string; policy: string }
  /** The whole result is kept, whatever the settings say. */
  | { kind: 'log'; level: 'full'; policy: string }
  /** Of the calls that are permitted so, this share is put before a person afterwards. */
  | { kind: 'review'; percent: number; policy: string }
  /** Before the tool runs, this many witnesses cosigned a checkpoint that covers the decision; as many as the ledger asks for when absent. */
  | { kind: 'witnessed'; count?: number; policy: string }

/** What a soft forbid asks of people. */
export type Ask = {
  policy: string
  reason: string
  deadlineMs?: number
  /** Whose members may answer; anybody when absent. */
  group?: string
  /** How many different people have to agree. */
  quorum: number
  /** The group that takes over when the deadline passes without an answer, for one more deadline. */
  escalate?: string
}

export type RiskTier = 'low' | 'medium' | 'high' | 'critical'

/** How risky a call is, with the arithmetic: `score` is the sum of the points. */
export type RiskScore = {
  score: number
  tier: RiskTier
  parts: readonly { term: string; points: number; because: string }[]
}

/** How much an agent may do by itself, as the charter says: `confirm-risky` leaves it to the policies. */
export type Autonomy = 'observe' | 'confirm-each' | 'confirm-risky' | 'autonomous'

export type Decision = {
  /** `sha256:…` of the policy texts; undefined when none is active. */
  version: string | undefined
  /** `sha256:…` of the world (RFC 8785): agents, servers, tools and their classes, as they stood. */
  world: string | undefined
  risk?: RiskScore
  /** Absent where the call was refused before the charter was looked at; so is the risk. */
  mode?: Autonomy
} & (
  | {
      effect: 'permit'
      reasons: readonly Reason[]
      obligations: readonly Obligation[]
      /** What the call takes of the charter's budgets. */
      charges?: readonly Charge[]
    }
  | { effect: 'hold'; reasons: readonly Reason[]; asks: readonly Ask[]; obligations: readonly Obligation[] }
  /** `detail`: one sentence without any value that the agent sent. */
  | { effect: 'deny'; fault: FaultCode; detail: string; reasons: readonly Reason[] }
)

/** Something to correct in a policy folder. Lines and columns count from 1, columns in UTF-16 units. */
export type Finding = {
  code: string
  /** An error keeps the folder from becoming active. */
  severity: 'error' | 'warning'
  file: string
  line: number
  column: number
  message: string
  suggestion?: string
  /** The policy that it is about. */
  policy?: string
}

/** Texts by file name. */
export type PolicyFiles = Readonly<Record<string, string>>

/** What is active, and what was refused after it. */
export type PolicyStatus = {
  version: string | undefined
  activatedAt: number | undefined
  files: PolicyFiles
  policies: readonly {
    id: string
    effect: 'permit' | 'forbid' | 'hold'
    file: string
    line: number
    reason: string
    /** Ids of the controls that it carries out. */
    controls: readonly string[]
    owner: string | undefined
    severity: RiskTier | undefined
  }[]
  /** Of the active texts against the world as it is now. */
  findings: readonly Finding[]
  /** The active policies that do not fit the tools any more, and what changed when they stopped fitting. */
  unfit: { policies: readonly string[]; changed: readonly string[] } | undefined
  /** The folder as it is, when it can't become active. */
  refused: { version: string; at: number; findings: readonly Finding[] } | undefined
  /** What is tried beside it. */
  staged: { version: string; mode: 'shadow' | 'canary'; percent: number } | undefined
  /** The folder as it is, when it waits for a review. */
  pending: string | undefined
  /** The version whose charter says who may change policies; undefined when whoever can write the folder may. */
  governor: string | undefined
}
