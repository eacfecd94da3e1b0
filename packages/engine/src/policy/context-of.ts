/** `context` as a policy sees it, in plain values: the agent's arguments, and what is known of the call besides. */
import { canonicalText } from './canonical-text.ts'
import type { Assessment } from './charter/assess.ts'
import type { PolicyRequest } from './types.ts'

const NO_SESSION = { id: '', calls: 0, startedAt: undefined }

const DAYS_A_WEEK = 7

function timeOf(now: number) {
  const date = new Date(now)
  // Monday is 1, Sunday 7 (ISO 8601).
  return { now: date.toISOString(), hour: date.getUTCHours(), weekday: ((date.getUTCDay() + DAYS_A_WEEK - 1) % DAYS_A_WEEK) + 1 }
}

export function contextOf({ facts, input }: PolicyRequest, { amount, risk }: Assessment, answered: ReadonlySet<string>) {
  const { door, onBehalfOf, paths, uri, name, now } = facts
  const { id, calls, startedAt } = facts.session ?? NO_SESSION
  return {
    door,
    onBehalfOf,
    paths,
    amount,
    // The agent names them, and could write one in many ways.
    uri: uri === undefined ? undefined : (canonicalText('uri', uri) ?? uri.normalize('NFC')),
    name: name?.normalize('NFC'),
    approvals: [...answered].toSorted(),
    labels: facts.labels ?? [],
    risk: { score: risk.score, tier: risk.tier },
    session: { id, calls, age: startedAt === undefined ? 0 : Math.max(0, Math.floor((now - startedAt) / 1000)) },
    time: timeOf(now),
    budget: facts.budgets ?? {},
    input,
  }
}
