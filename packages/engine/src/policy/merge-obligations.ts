/** What all the permits of a call tie it to, together: the strictest of what can be compared, and all of what cannot. */
import type { Obligation } from './types.ts'

/** What two obligations must share to be compared: of these only the strictest counts. */
function slotOf(one: Obligation): string {
  if (one.kind === 'limit') return `limit ${one.per}`
  if (one.kind === 'redact') return `redact ${one.category}`
  if (one.kind === 'sandbox') return `sandbox ${one.profile}`
  // What a ledger asks for is not known here, so it is compared with no number: both have to be met.
  if (one.kind === 'witnessed') return one.count === undefined ? 'witnessed quorum' : 'witnessed count'
  return one.kind
}

const ORDER = ['timeout', 'limit minute', 'limit hour', 'limit day', 'redact', 'sandbox', 'log', 'review', 'witnessed']
const rankOf = (one: Obligation) => ORDER.findIndex((slot) => slotOf(one).startsWith(slot))

/** Lower is stricter; of equals, the policy whose id comes first is named. */
function measureOf(one: Obligation): number {
  if (one.kind === 'limit') return one.count
  if (one.kind === 'timeout') return one.ms
  if (one.kind === 'witnessed') return -(one.count ?? 0)
  return one.kind === 'review' ? -one.percent : 0
}

function compare(a: Obligation, b: Obligation): number {
  const slots = rankOf(a) - rankOf(b) || (slotOf(a) < slotOf(b) ? -1 : slotOf(a) > slotOf(b) ? 1 : 0)
  return slots || measureOf(a) - measureOf(b) || (a.policy < b.policy ? -1 : a.policy > b.policy ? 1 : 0)
}

/** Whatever the order and however often each is given, the answer is the same. */
export function mergeObligations(all: readonly Obligation[]): Obligation[] {
  const sorted = all.toSorted(compare)
  return sorted.filter((one, i) => i === 0 || slotOf(one) !== slotOf(sorted[i - 1] as Obligation))
}
