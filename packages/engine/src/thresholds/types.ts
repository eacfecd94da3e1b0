/** The words of this room: where people are asked too often, and where too seldom. */
import type { PolicyFiles } from '@ephor/engine/policy'

/** Texts that a person may propose; nothing proposes them by itself. */
export type Suggestion = { text: string; files?: PolicyFiles }

/** A soft forbid, and what people made of what it held. */
export type Asked = {
  policy: string
  holds: number
  approved: number
  denied: number
  /** Nobody decided in time, or the call was withdrawn. */
  undecided: number
  pending: number
  /** ms from opened to decided */
  medianMs: number | undefined
  /** Different people who approved. */
  approvers: number
  suggestion?: Suggestion
}

/** An action whose permits were reported as harmful. */
export type Harmed = {
  action: string
  permits: number
  harmful: number
  /** The policies that permitted what did harm. */
  policies: string[]
  /** Some of the decisions. */
  decisions: string[]
  suggestion?: Suggestion
}

export type Health = { since: number; until: number; decisions: number; asked: Asked[]; harmed: Harmed[] }
