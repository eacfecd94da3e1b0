/** Watches a version while it is tried: counts what both said, keeps what differs, and ends the trial when it breaks a rule. */
import type { EntryDraft } from '@ephor/engine/ledger'
import type { Comparison, Decision } from '@ephor/engine/policy'
import { charterInForce, entryOf } from './context.ts'
import type { Context } from './context.ts'
import { findTried } from './publish.ts'
import { count, differenceKey, judge, noFigures, sum } from './rules.ts'
import type { Rule } from './rules.ts'
import { addDifference, addFigures, moveProposal, readFigures } from './store.ts'
import type { Difference, Effect, Figures, Proposal } from './types.ts'

/** Decisions after which the rules are looked at, at the latest. */
const JUDGE_EVERY = 50
/** Time without any decision is written this often, in ms. */
const IDLE_MS = 60_000
/** Kinds of differences between two writings at most: agents choose how many there are. */
const MAX_DIFFERENCES = 1000

type Trial = {
  proposal: Proposal & { state: 'shadow' | 'canary' }
  stored: Figures
  /** Since the last writing. */
  fresh: Figures
  differences: Map<string, Difference>
  ending: boolean
}

export interface Observer {
  /** Turns to what is tried now. */
  turn(): Promise<void>
  see(comparison: Comparison): void
  /** @param elapsed ms since the last tick, by a clock that only runs forward */
  tick(elapsed: number): Promise<void>
  /** Writes what was seen. */
  flush(): Promise<void>
  figures(): { figures: Figures; rules: Rule[] } | undefined
}

const BROKEN = new Set(['POLICY_ERROR', 'POLICY_TIMEOUT', 'OBLIGATION_UNKNOWN'])

const effectOf = (decision: Decision): Effect => (decision.effect === 'deny' && BROKEN.has(decision.fault) ? 'error' : decision.effect)

const rounded = (figure: number) => Math.round(figure * 10_000) / 10_000

/** Of differences in one entry, which has 65,535 bytes at most. The first says the figures too; others follow where there is more. */
const MAX_DIFFERENCE_BYTES = 40_000

function observedEntries(proposal: Proposal, fresh: Figures, differences: Iterable<Difference>): EntryDraft[] {
  const { decisions, active, tried, escalated, observed, latencies } = fresh
  const lists: Difference[][] = [[]]
  let bytes = 0
  for (const difference of differences) {
    const more = Buffer.byteLength(JSON.stringify(difference))
    if (bytes > 0 && bytes + more > MAX_DIFFERENCE_BYTES) {
      lists.push([])
      bytes = 0
    }
    lists.at(-1)?.push({ ...difference })
    bytes += more
  }
  const figures = { decisions, active, tried, escalated, observed, latencies }
  return lists.map((list, i) => entryOf('observed', proposal, { ...(i === 0 ? figures : {}), differences: list }))
}

export function makeObserver(context: Context): Observer {
  const { store, ledger, policy, clock, log } = context
  let trial: Trial | undefined
  let tail: Promise<unknown> = Promise.resolve()

  function writing({ proposal, fresh, differences }: Trial) {
    return [...addFigures(proposal.id, fresh), ...[...differences.values()].map((one) => addDifference(proposal.id, one))]
  }

  function settle(written: Trial, figures: Figures, differences: ReadonlyMap<string, Difference>): void {
    written.stored = sum(written.stored, figures, 1)
    written.fresh = sum(written.fresh, figures, -1)
    for (const [key, { count: known }] of differences) {
      const now = written.differences.get(key)
      if (now && now.count > known) now.count -= known
      else written.differences.delete(key)
    }
  }

  /** One after another: what is being written must not be written again. */
  function write(current: Trial): Promise<void> {
    const turn = tail.then(() => writeNow(current))
    tail = turn.catch(() => undefined)
    return turn
  }

  async function writeNow(current: Trial): Promise<void> {
    const { proposal } = current
    const fresh = structuredClone(current.fresh)
    const differences = structuredClone(current.differences)
    const changes = writing({ ...current, fresh, differences })
    if (changes.length === 0) return
    await ledger.append({ changes, entries: observedEntries(proposal, fresh, differences.values()) })
    settle(current, fresh, differences)
  }

  async function end(current: Trial, broken: Rule[], figures: Figures): Promise<void> {
    current.ending = true
    const { proposal } = current
    try {
      await write(current)
      const rules = broken.map(({ rule, figure, limit }) => ({ rule, figure: rounded(figure), limit }))
      const { decisions, active, tried, escalated } = figures
      const at = clock.now()
      const body = { by: 'rule', rules, decisions, active, tried, escalated, ended: [proposal.id], movedAt: at }
      const entry = entryOf('rolled-back', proposal, body)
      await policy.versions.unstage({ changes: [moveProposal(proposal, { state: 'rolled-back', at })], entries: [entry] })
      log.warn({ proposal: proposal.id, version: proposal.version, rules }, 'a policy version was rolled back by a rule of the charter')
    } finally {
      current.ending = false
    }
  }

  function look(): void {
    if (!trial || trial.ending) return
    const figures = sum(trial.stored, trial.fresh, 1)
    const broken = judge(charterInForce(context), figures).filter((rule) => rule.broken)
    if (broken.length === 0) return
    end(trial, broken, figures).catch((error: unknown) => log.error({ err: error }, 'a rollback by rule failed; it is tried again'))
  }

  return {
    async turn() {
      const proposal = await findTried(context)
      const { stage } = policy.versions.live()
      if (!proposal || stage?.version !== proposal.version) trial = undefined
      else if (trial?.proposal.id === proposal.id) trial.proposal = proposal as Trial['proposal']
      else {
        const stored = await readFigures(store, proposal.id)
        trial = { proposal: proposal as Trial['proposal'], stored, fresh: noFigures(), differences: new Map(), ending: false }
      }
    },
    see({ version, principal, action, active, staged, ms }) {
      const current = trial
      if (current?.proposal.version !== version) return
      const effects = { active: effectOf(active), tried: effectOf(staged) }
      count(current.fresh, { ...effects, ms })
      if (effects.active !== effects.tried) {
        const difference = { agent: principal, action, ...effects }
        const key = differenceKey(difference)
        const before = current.differences.get(key)
        if (before || current.differences.size < MAX_DIFFERENCES) {
          const policies = staged.reasons.map(({ policy: id }) => id)
          current.differences.set(key, { ...difference, policies, count: (before?.count ?? 0) + 1, lastAt: clock.now() })
        }
      }
      if (current.fresh.decisions % JUDGE_EVERY === 0) look()
    },
    async tick(elapsed) {
      if (!trial) return
      trial.fresh.observed[trial.proposal.state] += Math.round(elapsed)
      look()
      const { decisions, observed } = trial.fresh
      const worth = decisions > 0 || observed.shadow + observed.canary >= IDLE_MS
      if (worth && !trial.ending) await write(trial)
    },
    async flush() {
      if (trial) await write(trial)
    },
    figures() {
      if (!trial) return undefined
      const figures = sum(trial.stored, trial.fresh, 1)
      return { figures, rules: judge(charterInForce(context), figures) }
    },
  }
}
