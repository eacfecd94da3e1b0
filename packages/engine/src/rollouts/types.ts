/** The words of this room: a proposal of policies, what people say of it, and what is seen while it is tried. */
import type { ProposalState } from '@ephor/contract'
import type { Finding, PolicyFiles } from '@ephor/engine/policy'

export type Kind = 'policy' | 'charter'

export type TestReport = { cases: number; failed: { file: string; name: string; detail: string }[] }

/** `findings` and `tests` are our own; the rest is what the author says that other tools found. */
export type Checks = { findings: Finding[]; tests: TestReport; analysis?: unknown; backtest?: unknown }

export type Proposal = {
  /** `prp_…` */
  id: string
  /** `sha256:…` of the texts: a proposal of other texts is another proposal. */
  version: string
  /** What was active when it was proposed. */
  base: string | undefined
  /** `per_…`, or `folder`: then nobody knows who it was. */
  author: string
  changes: Kind[]
  state: ProposalState
  percent: number | undefined
  checks: Checks
  /** ms */
  openedAt: number
  changedAt: number
}

export type Review = { person: string; verdict: 'approve' | 'reject'; /** What was reviewed. */ version: string }

/** A person as the charter's lists see them. */
export type Someone = { id: string; groups: readonly string[]; operator: boolean }

export const EFFECTS = ['permit', 'hold', 'deny', 'error'] as const
export type Effect = (typeof EFFECTS)[number]

/** Sums over the calls that both versions were asked. */
export type Figures = {
  decisions: number
  active: Record<Effect, number>
  tried: Record<Effect, number>
  /** Held by the version that is tried, permitted by the active one. */
  escalated: number
  /** How many decisions of the version that is tried took at most each of `LATENCIES` and more than the one before. */
  latencies: number[]
  /** ms under observation, by mode. */
  observed: { shadow: number; canary: number }
}

export type Difference = { agent: string; action: string; active: Effect; tried: Effect; policies: string[]; count: number; lastAt: number }

export type Draft = { files: PolicyFiles; why: string; impact?: string | undefined; analysis?: unknown; backtest?: unknown }
