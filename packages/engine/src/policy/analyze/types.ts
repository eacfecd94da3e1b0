/** The words of analysis: what is analysed, the request that shows a finding, and what is said when nothing is certain. */
import type { EntityJson } from '@ephor/cedar'
import type { CompiledPolicy } from '../compile-policy.ts'
import type { Finding } from '../types.ts'

/** What analysis needs of a policy. */
export type Subject = Pick<CompiledPolicy, 'id' | 'file' | 'line' | 'column' | 'effect' | 'json' | 'ask' | 'obligations'>

export type Effect = 'permit' | 'hold' | 'deny'

type Uid = { type: string; id: string }
/** A request that shows something, in Cedar's JSON forms; the entities are those that it needs. */
export type Witness = { principal: Uid; action: Uid; resource: Uid; context: Record<string, unknown>; entities: readonly EntityJson[] }

/** What the evaluator says of a request: which policies are satisfied, which can't be evaluated. */
export type Outcome = { satisfied: ReadonlySet<string>; failed: ReadonlySet<string> }

export type AnalysisFinding = Omit<Finding, 'severity'> & {
  /** `note`: nothing is wrong, but something could be left out. */
  severity: 'error' | 'warning' | 'note'
  policy?: string
  /** `proven`: holds for every request. `shown`: the request beside it was evaluated. `read`: read off the text. */
  basis: 'proven' | 'shown' | 'read'
  witness?: Witness
}

/** Something that was asked of the solver and not answered. */
export type Undecided = { policy: string; question: string; actions: readonly string[] }

export type Analysis = {
  findings: AnalysisFinding[]
  undecided: Undecided[]
  /** Questions answered by the solver, by requests known already, and the time taken. */
  work: { questions: number; reused: number; classes: number; ms: number }
}

/** A set of requests that one version decides otherwise than the other. */
export type Difference = {
  from: Effect
  to: Effect
  principal: string
  actions: readonly string[]
  /** What of the changed policies tells these requests from others. */
  because: readonly { policy: string; version: 'from' | 'to'; holds: boolean; condition: string }[]
  text: string
  witness: Witness
}

export type Diff = {
  differences: Difference[]
  /** No request of these actions is decided otherwise. */
  same: { actions: readonly string[]; basis: 'text' | 'proven' }[]
  undecided: Undecided[]
  work: Analysis['work']
}

export type DiffResult = Diff & {
  /** Why nothing was compared: a version with errors decides nothing. */
  broken?: { version: 'from' | 'to'; findings: readonly Finding[] }
  /** The charters differ; what a charter takes away beside the policies is not compared. */
  charter: boolean
}
