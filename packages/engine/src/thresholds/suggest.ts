/** Pure: what to consider where thresholds look wrong, with the texts that somebody could propose. */
import { withoutPolicy } from '@ephor/engine/policy'
import type { PolicyFiles, PolicyStatus } from '@ephor/engine/policy'
import type { Asked, Harmed, Suggestion } from './types.ts'

/** Fewer holds say nothing about a habit. */
const MIN_HOLDS = 20
/** Nobody reads what they agree to in less, in ms. */
const UNREAD_MS = 5000
/** One report may be about one odd call. */
const MIN_HARMFUL = 2

type Active = Pick<PolicyStatus, 'files' | 'policies'>

const seconds = (ms: number) => (ms < 90_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`)

/** For a policy that is active: what was replaced already needs no suggestion. */
export function suggestFewer(
  { policy, holds, approved, medianMs = 0, approvers }: Asked,
  active: Active,
  days: number,
): Suggestion | undefined {
  if (approved < MIN_HOLDS || approved < holds) return undefined
  if (!active.policies.some(({ id, effect }) => id === policy && effect === 'hold')) return undefined
  const by = approvers === 1 ? 'one person' : `${approvers} people`
  const habit = `always approved (${approved} of ${holds} in ${days} days, by ${by}, half of them within ${seconds(medianMs)})`
  const advice =
    medianMs < UNREAD_MS
      ? 'that fast nobody reads what they agree to: consider asking in fewer cases, so that those are read'
      : 'consider asking in fewer cases, or not at all'
  const files = withoutPolicy(active, policy)
  return { text: `${habit}; ${advice}`, ...(files && { files }) }
}

const PLAIN = /^[\w.-]+\/[\w.-]+$/

/** A soft forbid of its own file. A tool server chose the name of its tool: one that is not plain gets words only. */
function askFor({ action, harmful }: Harmed, files: PolicyFiles): PolicyFiles | undefined {
  const name = `ask-${action.replaceAll(/[^\w-]/g, '-')}`
  if (!PLAIN.test(action) || `${name}.cedar` in files) return undefined
  const text = `// Suggested after ${harmful} reports of harm.
@id("${name}")
@reason("What ${action} did was reported as harmful before; somebody has to agree.")
@approval("quorum:1")
forbid (principal, action == Action::"${action}", resource);
`
  return { ...files, [`${name}.cedar`]: text }
}

export function suggestMore(harmed: Harmed, active: Active): Suggestion | undefined {
  const { action, harmful, permits, policies } = harmed
  if (harmful < MIN_HARMFUL) return undefined
  const files = askFor(harmed, active.files)
  const text = `${harmful} of ${permits} permits of ${action} were reported as harmful (permitted by ${policies.join(', ')}); consider asking somebody first`
  return { text, ...(files && { files }) }
}
