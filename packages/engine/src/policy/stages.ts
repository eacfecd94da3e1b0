/** Two versions at once: which of them answers a call, and what the other one would have said. */
import { createHash } from 'node:crypto'
import type { LiveOptions, Loaded, State } from './live.ts'
import type { Stage } from './versions-store.ts'
import type { Decision, PolicyRequest } from './types.ts'

/** The same call under the active version and under the one that is tried. */
export type Comparison = {
  /** What is tried. */
  version: string
  principal: string
  action: string
  server: string
  active: Decision
  staged: Decision
  /** How long the version that is tried took, in ms. */
  ms: number
}

/** Comparisons that wait for their turn at most: beyond, calls are answered without one. */
const MAX_BESIDE = 256
let beside = 0

/**
 * The first `percent` of all sessions, by SHA-256: the same session always gets the same version, and raising the percentage
 * takes none away. The salt is made anew with each stage and is told to nobody, so an agent can't compute a session that is in.
 */
export function isCanary({ version, salt, percent }: Stage, session: string): boolean {
  const place = createHash('sha256').update(`${salt}\n${version}\n${session}`).digest().readUInt32BE(0)
  return place < (percent / 100) * 2 ** 32
}

/** Without a session, all calls of a principal are one. */
const sessionOf = ({ facts, principal }: PolicyRequest) => facts.session?.id ?? principal.id

function timed({ decider }: Loaded, request: PolicyRequest) {
  const started = performance.now()
  const decision = decider.decide(request)
  return { decision, ms: performance.now() - started }
}

/** The version whose turn it is answers; where two can be compared, the other is asked after the answer, and has no say in it. */
export function decideStaged(state: State, active: Loaded, request: PolicyRequest, { log }: LiveOptions): Decision {
  const { staged } = state
  if (!staged) return active.decider.decide(request)
  const { stage } = staged
  const canary = stage.mode === 'canary' && isCanary(stage, sessionOf(request))
  const first = timed(canary ? staged : active, request)
  // A second half after an approval is no new question.
  if ((!canary && stage.mode === 'canary') || request.facts.approvals.length > 0 || beside >= MAX_BESIDE) return first.decision
  beside++
  setImmediate(() => {
    beside--
    try {
      const second = timed(canary ? active : staged, request)
      const [a, s] = canary ? [second, first] : [first, second]
      const { principal, action, server } = request
      const asked = { version: stage.version, principal: principal.id, action, server }
      for (const comparer of state.comparers) comparer({ ...asked, active: a.decision, staged: s.decision, ms: s.ms })
    } catch (error) {
      log.error({ err: error }, 'a comparison of two policy versions failed')
    }
  })
  return first.decision
}
