/** What the parts of the room share: the rooms below, who is who, and what is asked of a person's standing. */
import { Fault } from '@ephor/contract'
import type { BacktestView } from '@ephor/contract'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import type { EntryDraft, Ledger } from '@ephor/engine/ledger'
import { defaultCharter } from '@ephor/engine/policy'
import type { Charter, Policy, PolicyFiles } from '@ephor/engine/policy'
import { authoritiesOf, names } from './rules.ts'
import { findProposal } from './store.ts'
import type { Proposal, Review, Someone, TestReport } from './types.ts'

export type RolloutsOptions = {
  store: Store
  ledger: Ledger
  policy: Pick<Policy, 'versions' | 'on'>
  clock: Clock
  log: Logger
  /** Everybody, as identity knows them now. */
  people: () => readonly Someone[]
  /** Runs the `*.test.yaml` among the texts against the policies among them. Without it, no charter that asks for tests lets anything live. */
  runTests?: (files: PolicyFiles) => Promise<TestReport>
  /** Ephor's own last backtest of a version. */
  backtestOf?: (version: string) => Promise<BacktestView | undefined>
}

export type Context = RolloutsOptions

/** The charter that a change needs the authority of: the one in force, never the one proposed. */
export function charterInForce({ policy }: Context): Charter {
  const { governor, charter } = policy.versions.live()
  if (!governor) return charter ?? defaultCharter
  if (governor.charter) return governor.charter
  const detail = `the charter of ${governor.version} is in force, and the store has lost it; an operator can roll back: ephor policy rollback`
  throw new Fault('BUNDLE_INVALID', detail)
}

export function requireSomeone({ people }: Context, id: string): Someone {
  const person = people().find((one) => one.id === id)
  if (!person) throw new Fault('FORBIDDEN', 'nobody is known by that id')
  return person
}

/** @throws Fault NOT_FOUND; BUNDLE_INVALID when somebody made the row say something else than was proposed. */
export async function getProposal({ store, ledger }: Context, id: string): Promise<Proposal> {
  const proposal = await findProposal(store, id)
  if (!proposal) throw new Fault('NOT_FOUND', `no proposal ${id}`)
  const { version, author, base = null, changes } = proposal
  const body = (await ledger.find(`${id}/proposed`))?.body
  const same = body?.version === version && body.author === author && body.base === base
  if (!same || JSON.stringify(body?.changes) !== JSON.stringify(changes))
    throw new Fault('BUNDLE_INVALID', `what is stored of ${id} is not what was proposed, as the ledger has it`)
  return proposal
}

/** What those whom the charter names said of it, by the ledger's word: a row in the store is no review. */
export async function reviewsOf({ ledger, people }: Context, charter: Charter, { id, version, changes }: Proposal): Promise<Review[]> {
  const lists = authoritiesOf(charter, changes).map(({ review }) => review)
  const named = people().filter((person) => lists.some((list) => names(list, person)))
  const found = await Promise.all(
    named.map(async (person) => ({ person: person.id, entry: await ledger.find(`${id}/review/${person.id}`) })),
  )
  return found.flatMap(({ person, entry }) => {
    const body = entry?.body
    if (body?.by !== person || body.version !== version) return []
    return [{ person, verdict: body.verdict === 'approve' ? ('approve' as const) : ('reject' as const), version }]
  })
}

/** Words that somebody wrote go into the encrypted payload. */
export function entryOf(
  step: 'proposed' | 'reviewed' | 'staged' | 'promoted' | 'rolled-back' | 'withdrawn' | 'observed',
  { id, version }: Pick<Proposal, 'id' | 'version'>,
  body: EntryDraft['body'],
  said?: { by: string; words: Record<string, string> },
): EntryDraft {
  const payloads = said ? Object.entries(said.words).map(([name, value]) => ({ name, subject: said.by, value })) : []
  return { type: `rollout.${step}`, body: { proposal: id, version, ...body }, payloads }
}
