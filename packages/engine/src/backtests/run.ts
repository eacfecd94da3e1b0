/** One run from where it stands to its end: stretch after stretch, in a thread, with what was found kept on the way. */
import { hash } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { EntryDraft, SealedEntries } from '@ephor/engine/ledger'
import { canonicalize } from '@ephor/proof'
import type { Context } from './context.ts'
import { addTally, differences } from './rules.ts'
import { startReplayer } from './start-replayer.ts'
import { moveRun } from './store.ts'
import type { Job, Run, Tally } from './types.ts'

/** Entries in a stretch: some ms of reading at a time, so that calls are not kept waiting. */
const STRETCH = 500
const SAVE_MS = 1000
/** How often a thread that died is replaced without having come any further. */
const MAX_TRIES = 3
/** Decisions named in an entry. */
const NAMED = 20

/** What the ending entry says of the tally beyond its sums: SHA-256, base64url. */
export function digestOfTally(tally: Tally): string {
  return hash('sha256', canonicalize(tally), 'base64url')
}

export function startedEntry({ id, kind, version, by, agent, most, after, upTo, startedAt }: Run): EntryDraft {
  const optional = { ...(version && { version }), ...(agent && { agent }), ...(most !== undefined && { most }) }
  return { type: 'backtest.started', id: `${id}/started`, body: { run: id, kind, by, after, upTo, startedAt, ...optional } }
}

const endedId = (id: string) => `${id}/ended`

function endedEntries(run: Run): EntryDraft[] {
  const { id, kind, state, position, upTo, fault, tally, endedAt } = run
  const { seen, replayed, same, transitions, skipped, changed, lost } = tally
  const found = { seen, replayed, same, transitions, skipped }
  const ended: EntryDraft = {
    type: 'backtest.ended',
    id: endedId(id),
    body: {
      run: id,
      kind,
      state,
      upTo,
      position,
      ...found,
      tally: digestOfTally(tally),
      ...(endedAt === undefined ? {} : { endedAt }),
      ...(fault === undefined ? {} : { fault }),
    },
  }
  if (kind !== 'drift' || state !== 'done' || differences(tally) === 0) return [ended]
  const decisions = [...changed, ...lost].slice(0, NAMED).map(({ decision }) => decision)
  return [ended, { type: 'policy.drift', id: `${id}/drift`, body: { run: id, differences: differences(tally), decisions } }]
}

/** A check is believed as far as the ledger says that it was clean. */
export async function isClean({ ledger }: Pick<Context, 'ledger'>, { id, upTo }: Run): Promise<boolean> {
  const body = (await ledger.find(endedId(id)))?.body
  if (body?.['state'] !== 'done' || body['kind'] !== 'drift' || body['upTo'] !== upTo) return false
  return differences(body as never) === 0
}

async function jobOf({ policy }: Context, { kind, version = '' }: Run): Promise<Job> {
  if (kind === 'drift') return { kind }
  const files = await policy.bundle(version)
  if (!files) throw new Fault('BUNDLE_INVALID', `what is stored as ${version} is something else`)
  return { kind, files, world: policy.worldNow() }
}

export async function endRun({ ledger, clock, log }: Context, run: Run, end: Pick<Run, 'state' | 'fault'>): Promise<void> {
  Object.assign(run, end, { endedAt: clock.now() })
  await ledger.append({ changes: [moveRun(run)], entries: endedEntries(run) })
  const found = differences(run.tally)
  if (run.kind === 'drift' && run.state === 'done' && found > 0) {
    const some = [...run.tally.changed, ...run.tally.lost].slice(0, NAMED).map(({ decision }) => decision)
    log.error({ run: run.id, differences: found, decisions: some }, 'recorded decisions do not come out again as they were made')
  }
}

/** Progress is no step of anybody's: it says how far something came that comes out the same again. */
async function save({ store }: Context, run: Run): Promise<void> {
  await store.commit({ changes: [moveRun(run)] })
}

async function goOn(context: Context, run: Run, job: Job, isOver: () => boolean): Promise<void> {
  const { ledger, policy } = context
  const source = { files: (version: string) => policy.bundle(version), world: (digest: string) => policy.world(digest) }
  const replayer = startReplayer({ job, agent: run.agent }, source)
  const read = (after: number): Promise<SealedEntries> => {
    const batch = ledger.sealed({ after, upTo: run.upTo, limit: STRETCH, ids: 'dec', names: ['input', 'facts'] })
    // Read ahead while the thread works: a failure is seen when it is this one's turn.
    batch.catch(() => undefined)
    return batch
  }
  const most = run.most ?? Infinity
  let saved = performance.now()
  try {
    let next = read(run.position)
    while (!isOver() && run.tally.seen < most) {
      const batch = await next
      if (batch.last === undefined) return
      next = read(batch.last)
      addTally(run.tally, await replayer.replay(batch, most - run.tally.seen))
      run.position = batch.last
      if (performance.now() - saved < SAVE_MS) continue
      await save(context, run)
      saved = performance.now()
    }
  } finally {
    await replayer.close()
  }
}

/**
 * Works until the run has ended, or is cut off: then it goes on from there when it is taken up again.
 * @param isOver asked between stretches
 */
export async function work(context: Context, run: Run, isOver: () => 'stopped' | 'closing' | undefined): Promise<void> {
  const job = await jobOf(context, run)
  for (let tries = 1, reached = run.position; ; tries++) {
    try {
      await goOn(context, run, job, () => isOver() !== undefined)
      break
    } catch (error) {
      if (!(error instanceof Fault && error.code === 'BACKTEST_FAILED')) throw error
      if (run.position > reached) [tries, reached] = [1, run.position]
      if (tries >= MAX_TRIES) throw error
      context.log.warn({ run: run.id, err: error }, 'a backtest is taken up again where it was')
    }
  }
  const over = isOver()
  if (over === 'closing') await save(context, run)
  else await endRun(context, run, { state: over ?? 'done', fault: undefined })
}
