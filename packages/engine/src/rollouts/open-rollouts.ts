/** Opens the room: proposals, reviews, trials and the way back, one step after another, and the watch over what is tried. */
import type { BacktestView, ProposalState } from '@ephor/contract'
import type { Activation, PolicyFiles } from '@ephor/engine/policy'
import type { Context, RolloutsOptions } from './context.ts'
import { getProposal } from './context.ts'
import { makeObserver } from './observe.ts'
import { endOrphans, followFolder, propose } from './propose.ts'
import { findTried, obstacles, rollback, take, withdraw } from './publish.ts'
import type { RolledBack, Step } from './publish.ts'
import { review } from './review.ts'
import type { Verdict } from './review.ts'
import { listDifferences, listProposals, listReviews } from './store.ts'
import type { Difference, Draft, Figures, Proposal, Review } from './types.ts'
import type { Rule } from './rules.ts'

const TICK_MS = 10_000
const MAX_DIFFERENCES_SHOWN = 200

/** A proposal with all that a reviewer needs. */
export type Dossier = {
  proposal: Proposal
  files: PolicyFiles
  before: PolicyFiles
  reviews: (Review & { at: number })[]
  /** What people wrote, by `proposed` or the id of a reviewer; what was erased is missing. */
  words: Record<string, Record<string, string>>
  /** Ephor's own last backtest of its version. */
  backtest: BacktestView | undefined
  /** What keeps it from being published. */
  waitsFor: { code: string; detail: string }[]
}

export type Trial = { proposal: Proposal; figures: Figures; rules: Rule[]; differences: Difference[] }

/** People are ids of the identity room, proven by whoever calls. */
export interface Rollouts {
  propose(author: string, draft: Draft): Promise<Proposal>
  review(id: string, by: string, verdict: Verdict): Promise<void>
  take(id: string, by: string, step: Step): Promise<void>
  withdraw(id: string, by: string): Promise<void>
  rollback(by: string, how: { to?: string | undefined; why: string }): Promise<RolledBack>
  dossier(id: string): Promise<Dossier>
  list(query: {
    state?: ProposalState | undefined
    cursor?: string | undefined
    limit: number
  }): Promise<{ items: Proposal[]; next?: string }>
  trial(): Promise<Trial | undefined>
  history(limit: number): Promise<Activation[]>
  /** Looks at the rules and writes what was seen, as the timer does. @param elapsed ms under observation since the last time */
  tick(elapsed: number): Promise<void>
  close(): Promise<void>
}

async function wordsOf({ ledger }: Context, entry: string): Promise<Record<string, string>> {
  const found = await ledger.find(entry)
  if (!found) return {}
  const said: Record<string, string> = {}
  for (const name of ['why', 'impact', 'note']) {
    const value = await ledger.payload(found.seq, name)
    if (typeof value === 'string') said[name] = value
  }
  return said
}

async function dossier(context: Context, id: string): Promise<Dossier> {
  const { policy, store } = context
  const proposal = await getProposal(context, id)
  const filesOf = async (version: string | undefined) => (version === undefined ? undefined : policy.versions.files(version))
  const [files, before, reviews, waiting] = await Promise.all([
    filesOf(proposal.version),
    filesOf(proposal.base),
    listReviews(store, id),
    obstacles(context, proposal, { mode: 'active', percent: 100 }),
  ])
  const words: Dossier['words'] = { proposed: await wordsOf(context, `${id}/proposed`) }
  for (const { person } of reviews) words[person] = await wordsOf(context, `${id}/review/${person}`)
  const waitsFor = waiting.map(({ code, message }) => ({ code, detail: message }))
  const backtest = await context.backtestOf?.(proposal.version)
  return { proposal, files: files ?? {}, before: before ?? {}, reviews, words, backtest, waitsFor }
}

export async function openRollouts(options: RolloutsOptions): Promise<Rollouts> {
  const context: Context = options
  const { policy, log, store } = options
  const observer = makeObserver(context)
  let tail: Promise<unknown> = Promise.resolve()
  /** One after another: what a step looked at must still hold when it is taken. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = tail.then(work)
    tail = turn.catch(() => undefined)
    return turn
  }
  async function follow(): Promise<void> {
    await endOrphans(context)
    await followFolder(context)
    await observer.turn()
  }
  function followSoon(): void {
    inTurn(follow).catch((error: unknown) => log.error({ err: error }, 'rollouts could not follow the policies'))
  }
  await inTurn(follow)
  const stops = [policy.on(followSoon), policy.versions.onCompared((comparison) => observer.see(comparison))]
  // Trials are timed by a clock that nobody sets, and a machine that slept did not watch.
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    const elapsed = Math.min(now - last, 2 * TICK_MS)
    last = now
    observer
      .tick(elapsed)
      .catch((error: unknown) => log.error({ err: error }, 'what a trial showed could not be written; it is tried again'))
  }, TICK_MS).unref()
  const step = (work: () => Promise<void>) =>
    inTurn(async () => {
      await observer.flush()
      await work()
      await observer.turn()
    })

  return {
    propose: (author, draft) => inTurn(() => propose(context, author, draft)),
    review: (id, by, verdict) => inTurn(() => review(context, id, by, verdict)),
    take: (id, by, wanted) => step(() => take(context, id, by, wanted)),
    withdraw: (id, by) => step(() => withdraw(context, id, by)),
    rollback: (by, how) =>
      inTurn(async () => {
        // No writing of figures before: the way back must not wait for anything.
        const done = await rollback(context, by, how)
        await observer.turn()
        return done
      }),
    dossier: (id) => dossier(context, id),
    async list({ state, cursor, limit }) {
      const found = await listProposals(store, { ...(state ? { states: [state] } : {}), before: cursor, limit: limit + 1 })
      const items = found.slice(0, limit)
      const end = items.at(-1)
      return found.length > limit && end ? { items, next: end.id } : { items }
    },
    async trial() {
      const [proposal, seen] = [await findTried(context), observer.figures()]
      if (!proposal || !seen) return undefined
      await observer.flush()
      return { proposal, ...seen, differences: await listDifferences(store, proposal.id, MAX_DIFFERENCES_SHOWN) }
    },
    history: (limit) => policy.versions.history(limit),
    tick: (elapsed) => observer.tick(elapsed),
    async close() {
      clearInterval(timer)
      for (const stop of stops) stop()
      await tail
      await observer.flush()
    },
  }
}
