/** Proposals: texts kept under their version, checked and tested, which decide nothing yet. From people, and from a changed folder. */
import { Fault } from '@ephor/contract'
import type { Part } from '@ephor/engine/ledger'
import type { PolicyFiles } from '@ephor/engine/policy'
import { entryOf } from './context.ts'
import type { Context } from './context.ts'
import { FOLDER, isPending, isTried, kindsOf } from './rules.ts'
import { digestOfChecks, insertProposal, listProposals, moveProposal } from './store.ts'
import type { Draft, Proposal, TestReport } from './types.ts'

/** Open at once, at most: more than people review, and few enough to look through. */
const MAX_OPEN = 200

/** Tests that can't be run are tests that fail. */
export async function testsOf({ runTests }: Context, files: PolicyFiles): Promise<TestReport> {
  if (!runTests) return { cases: 0, failed: [] }
  try {
    return await runTests(files)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { cases: 0, failed: [{ file: error.where ?? '', name: error.code, detail: error.message }] }
  }
}

async function listOpen({ store }: Context): Promise<Proposal[]> {
  return listProposals(store, { states: ['open', 'approved', 'shadow', 'canary'], limit: MAX_OPEN + 1 })
}

export function withdrawPart(context: Context, proposal: Proposal, because: string, by: string): Part {
  const at = context.clock.now()
  return {
    changes: [moveProposal(proposal, { state: 'withdrawn', at })],
    entries: [entryOf('withdrawn', proposal, { by, because, movedAt: at })],
  }
}

async function open(context: Context, author: string, draft: Omit<Draft, 'why'> & { why?: string }, instead: Part): Promise<Proposal> {
  const { policy, clock, ledger } = context
  const live = policy.versions.live()
  const { files, why, impact, analysis, backtest } = draft
  const { version, findings } = await policy.versions.inspect(files)
  const base = live.version === undefined ? {} : await policy.versions.files(live.version)
  if (!base) throw new Fault('BUNDLE_INVALID', `what is stored as ${live.version} is something else`)
  const tests = await testsOf(context, files)
  const now = clock.now()
  const proposal: Proposal = {
    id: clock.id('prp'),
    version,
    base: live.version,
    author,
    changes: kindsOf(base, files),
    state: 'open',
    percent: undefined,
    checks: {
      findings: [...findings],
      tests,
      ...(analysis === undefined ? {} : { analysis }),
      ...(backtest === undefined ? {} : { backtest }),
    },
    openedAt: now,
    changedAt: now,
  }
  const body = {
    author,
    base: live.version ?? null,
    changes: proposal.changes,
    errors: findings.filter(({ severity }) => severity === 'error').length,
    tests: { cases: tests.cases, failed: tests.failed.length },
    checks: digestOfChecks(proposal.checks),
    movedAt: now,
  }
  const words = { ...(why === undefined ? {} : { why }), ...(impact === undefined ? {} : { impact }) }
  const entry = { ...entryOf('proposed', proposal, body, { by: author, words }), id: `${proposal.id}/proposed` }
  await ledger.append({
    changes: [...instead.changes, policy.versions.keep(files), insertProposal(proposal)],
    entries: [...instead.entries, entry],
  })
  return proposal
}

/** @throws Fault CONFLICT when these texts are active or proposed already; RATE_LIMITED when too much is open. */
export async function propose(context: Context, author: string, draft: Draft): Promise<Proposal> {
  const { version } = await context.policy.versions.inspect(draft.files)
  if (version === context.policy.versions.live().version) throw new Fault('CONFLICT', 'these policies are active already')
  const all = await listOpen(context)
  if (all.length > MAX_OPEN) throw new Fault('RATE_LIMITED', `${MAX_OPEN} proposals are open; withdraw or publish some first`)
  const same = all.find((one) => one.version === version)
  if (same && same.author !== FOLDER) throw new Fault('CONFLICT', `${same.id} proposes the same`)
  if (same && !isPending(same)) throw new Fault('CONFLICT', `${same.id} is being tried`)
  // A person who answers for what the folder holds takes the place of nobody.
  return open(context, author, draft, same ? withdrawPart(context, same, 'claimed', author) : { changes: [], entries: [] })
}

/** What a changed folder asks for, in a proposal of its own; the one of what it held before is withdrawn. */
export async function followFolder(context: Context): Promise<void> {
  const { policy, store, ledger, log } = context
  const { pending } = policy.versions.live()
  const all = await listOpen(context)
  const old = all.filter((one) => one.author === FOLDER && isPending(one) && one.version !== pending?.version)
  const parts = old.map((one) => withdrawPart(context, one, 'the folder changed', FOLDER))
  const instead = { changes: parts.flatMap(({ changes }) => changes), entries: parts.flatMap(({ entries }) => entries) }
  const [last] = await listProposals(store, { author: FOLDER, limit: 1 })
  const known = all.some((one) => one.version === pending?.version) || (last?.version === pending?.version && last?.state === 'rejected')
  if (!pending || known) {
    if (old.length > 0) await ledger.append(instead)
    return
  }
  const { id } = await open(context, FOLDER, { files: pending.files }, instead)
  log.warn({ proposal: id, version: pending.version }, 'the changed policy folder is now a proposal: ephor policy review')
}

/** Other policies became active while a version was tried: its trial is over. */
export async function endOrphans(context: Context): Promise<void> {
  const { stage } = context.policy.versions.live()
  for (const proposal of (await listOpen(context)).filter(isTried)) {
    if (proposal.version !== stage?.version)
      await context.ledger.append(withdrawPart(context, proposal, 'other policies became active', FOLDER))
  }
}
