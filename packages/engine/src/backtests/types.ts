/** The words of this room: a run over recorded decisions, and what it found. */
import type { PolicyFiles, PolicyWorld } from '@ephor/engine/policy'

export type Effect = 'permit' | 'hold' | 'deny'

/** Why a decision was not made again. */
export const SKIPS = ['door', 'unasked', 'older', 'erased', 'corrupt', 'version', 'world'] as const
/**
 * `door`: an application's policies decided it. `unasked`: refused before any policy was asked. `older`: made before questions
 * were kept. `erased`: its key was destroyed. `corrupt`: the record was changed. `version`, `world`: what it was pinned to is
 * not in the store any more, or was changed there.
 */
export type Skip = (typeof SKIPS)[number]

/** By `permit→deny`; `permit→permit` where only reasons, asks, obligations or risk differ. */
export type Transitions = Record<string, number>

export type Said = { effect: Effect; fault?: string; reasons: string[] }

export type Changed = { decision: string; at: string; agent: string; action: string; from: Said; to: Said }

/** What was found so far. Adding two gives that of both stretches together. */
export type Tally = {
  seen: number
  replayed: number
  same: number
  transitions: Transitions
  /** Of what changed. */
  agents: Record<string, Transitions>
  tools: Record<string, Transitions>
  skipped: Partial<Record<Skip, number>>
  /** Some of what changed, the first ones. */
  changed: Changed[]
  /** Some of those whose record or pins are not what they were, the first ones. */
  lost: { decision: string; skip: Skip }[]
}

/** What a stretch of decisions is made again with: each with its own version and world, or a candidate in its own world. */
export type Job = { kind: 'drift' } | { kind: 'candidate'; files: PolicyFiles; world: PolicyWorld }

export type RunState = 'running' | 'done' | 'failed' | 'stopped'

export type Run = {
  /** `btr_…` */
  id: string
  kind: Job['kind']
  version: string | undefined
  /** `per_…`, or `system` for the check of every night. */
  by: string
  agent: string | undefined
  /** How many decisions at most. */
  most: number | undefined
  state: RunState
  /** The seq before the first, and the last one. */
  after: number
  upTo: number
  /** The last seq that is in the tally. */
  position: number
  tally: Tally
  fault: string | undefined
  /** ms */
  startedAt: number
  endedAt: number | undefined
}
