/** Taking a version live, in steps or at once, and the way back. Everything that a step asks is looked at again when it is taken. */
import { Fault } from '@ephor/contract'
import type { EntryDraft } from '@ephor/engine/ledger'
import { charterInForce, entryOf, getProposal, requireSomeone, reviewsOf } from './context.ts'
import type { Context } from './context.ts'
import { testsOf, withdrawPart } from './propose.ts'
import { isPending, isTried, lockout, missingReviews, requirePublisher, tooEarly, versionBefore } from './rules.ts'
import { listProposals, moveProposal, readFigures } from './store.ts'
import type { Proposal } from './types.ts'

export type Step = { mode: 'shadow' | 'canary' | 'active'; percent: number }

/** What keeps the step from being taken now, the most telling first. */
export async function obstacles(context: Context, proposal: Proposal, step: Step): Promise<Fault[]> {
  const { policy, people, store } = context
  const { id, version, base, state } = proposal
  if (!isPending(proposal) && !isTried(proposal)) return [new Fault('PROPOSAL_CLOSED', `${id} is ${state}`)]
  const live = policy.versions.live()
  if (live.version !== base) return [new Fault('PROPOSAL_STALE', `${live.version ?? 'nothing'} is active now, not ${base ?? 'nothing'}`)]
  // The reviews are of a version: what is stored under its name must be what was reviewed.
  const files = await policy.versions.files(version)
  if (!files) return [new Fault('BUNDLE_INVALID', `what is stored as ${version} is something else`)]
  const charter = charterInForce(context)
  const [inspected, reviews, figures] = await Promise.all([
    policy.versions.inspect(files),
    reviewsOf(context, charter, proposal),
    readFigures(store, id),
  ])
  const found: Fault[] = []
  if (reviews.some(({ verdict }) => verdict === 'reject')) return [new Fault('PROPOSAL_CLOSED', `${id} was rejected`)]
  const missing = missingReviews(charter, proposal, reviews, people())
  if (missing.length > 0) found.push(new Fault('REVIEWS_MISSING', missing.join('; ')))
  const error = inspected.findings.find(({ severity }) => severity === 'error')
  if (error || !inspected.charter) {
    const where = error ? `${error.file}:${error.line}:${error.column}` : 'charter.yaml'
    found.push(new Fault('POLICY_INVALID', `${where}: ${error?.message ?? 'the charter cannot be read'}`, { where }))
  }
  if (charter.tests.required || inspected.charter?.tests.required) {
    const { cases, failed } = await testsOf(context, files)
    const [first] = failed
    if (first) found.push(new Fault('TESTS_FAILED', `${failed.length} of ${cases}; ${first.file}: ${first.name}: ${first.detail}`))
    else if (cases === 0) found.push(new Fault('TESTS_FAILED', 'the charter asks for tests, and none were run'))
  }
  const locked = inspected.charter && lockout(inspected.charter, people())
  if (locked !== undefined) found.push(new Fault('POLICY_INVALID', `charter.yaml: ${locked}`, { where: 'charter.yaml' }))
  if (live.stage && live.stage.version !== version) found.push(new Fault('ROLLOUT_RUNNING', `${live.stage.version} is being tried`))
  const early = tooEarly(charter, figures, step)
  if (early !== undefined) found.push(new Fault('ROLLOUT_EARLY', early))
  return found
}

/** One step of a rollout: tried beside the active version, for a part of the sessions, or active. @throws the first of `obstacles`; AUTHORITY_MISSING. */
export async function take(context: Context, id: string, by: string, step: Step): Promise<void> {
  const { policy, clock, log } = context
  const proposal = await getProposal(context, id)
  const charter = charterInForce(context)
  requirePublisher(charter, proposal.changes, requireSomeone(context, by))
  const [obstacle] = await obstacles(context, proposal, step)
  if (obstacle) throw obstacle
  const { version, base, author } = proposal
  const { mode, percent } = step
  if (proposal.state === mode && (mode !== 'canary' || proposal.percent === percent))
    throw new Fault('PROPOSAL_CLOSED', `${id} is ${mode} already`)
  const approving = (await reviewsOf(context, charter, proposal)).filter(({ verdict }) => verdict === 'approve')
  const signed = { author, reviewers: approving.map(({ person }) => person) }
  const at = clock.now()
  const said = { by, base: base ?? null, author, reviewers: signed.reviewers, changes: proposal.changes, movedAt: at }
  const part = (state: Proposal['state'], entry: EntryDraft) => ({
    changes: [moveProposal(proposal, { state, percent: state === 'canary' ? percent : undefined, at })],
    entries: [entry],
  })
  if (mode === 'active') {
    await policy.versions.activate(version, { beside: base, by: signed, part: part('promoted', entryOf('promoted', proposal, said)) })
  } else {
    if (base === undefined) throw new Fault('POLICY_MISSING', 'nothing is active beside which it could be tried')
    const entry = entryOf('staged', proposal, { ...said, mode, percent: mode === 'canary' ? percent : 0 })
    await policy.versions.stage(version, {
      beside: base,
      mode,
      percent: mode === 'canary' ? percent : 0,
      by: signed,
      part: part(mode, entry),
    })
  }
  log.info({ proposal: id, version, mode, percent }, 'a policy version was published')
}

export async function findTried({ store }: Context): Promise<Proposal | undefined> {
  return (await listProposals(store, { states: ['shadow', 'canary'], limit: 1 }))[0]
}

export type RolledBack = { from?: string; to?: string; ended?: string }

/** Who may roll back: operators, and whoever may take policies live. */
function requireRollback(context: Context, by: string): void {
  const person = requireSomeone(context, by)
  if (!person.operator) requirePublisher(charterInForce(context), ['policy'], person)
}

/**
 * The trial ends; without one, or with `to`, an earlier version is active again. Needs no review, since only what was active
 * before can come back; who may change policies stays as it was, or a rollback would be the way around a charter.
 */
export async function rollback(context: Context, by: string, { to, why }: { to?: string | undefined; why: string }): Promise<RolledBack> {
  const { policy, clock, log } = context
  requireRollback(context, by)
  const { version: from, stage } = policy.versions.live()
  const tried = await findTried(context)
  const at = clock.now()
  const move = tried ? [moveProposal(tried, { state: 'rolled-back', at })] : []
  const words = { by, words: { why } }
  if (stage && to === undefined) {
    const entry = entryOf(
      'rolled-back',
      { id: tried?.id ?? '', version: stage.version },
      { by, from: stage.version, to: from ?? null, ended: tried ? [tried.id] : [], movedAt: at },
      words,
    )
    await policy.versions.unstage({ changes: move, entries: [entry] })
    log.warn({ by, from: stage.version, to: from }, 'the trial of a policy version was ended by hand')
    return { from: stage.version, ...(from === undefined ? {} : { to: from }), ...(tried ? { ended: tried.id } : {}) }
  }
  const history = await policy.versions.history(1000)
  const target = to ?? versionBefore(history.toReversed().map(({ version }) => version))
  if (target === undefined) throw new Fault('NOT_FOUND', 'no version was active before this one')
  if (target === from) throw new Fault('CONFLICT', `${target} is active`)
  if (!(await policy.versions.wasActive(target))) throw new Fault('NOT_FOUND', `${target} was never active; propose it instead`)
  const [promoted] = (await listProposals(context.store, { states: ['promoted'], limit: 500 })).filter(({ version }) => version === from)
  const undo = promoted ? [moveProposal(promoted, { state: 'rolled-back', at })] : []
  const ended = [tried, promoted].flatMap((one) => (one ? [one.id] : []))
  const subject = { id: promoted?.id ?? '', version: from ?? '' }
  const entry = entryOf('rolled-back', subject, { by, from: from ?? null, to: target, ended, movedAt: at }, words)
  await policy.versions.reinstate(target, { changes: [...move, ...undo], entries: [entry] })
  log.warn({ by, from, to: target }, 'the active policies were rolled back by hand, without a review')
  return { ...(from === undefined ? {} : { from }), to: target, ...(promoted ? { ended: promoted.id } : {}) }
}

/** By its author, or by whoever may take it live. @throws Fault PROPOSAL_CLOSED, AUTHORITY_MISSING */
export async function withdraw(context: Context, id: string, by: string): Promise<void> {
  const proposal = await getProposal(context, id)
  const person = requireSomeone(context, by)
  if (by !== proposal.author && !person.operator) requirePublisher(charterInForce(context), proposal.changes, person)
  if (!isPending(proposal) && !isTried(proposal)) throw new Fault('PROPOSAL_CLOSED', `${id} is ${proposal.state}`)
  const part = withdrawPart(context, proposal, 'by hand', by)
  if (isTried(proposal)) await context.policy.versions.unstage(part)
  else await context.ledger.append(part)
}
