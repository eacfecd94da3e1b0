/** Opens the room: runs one after another, those that were cut off first, and the check for drift when its time has come. */
import { Fault } from '@ephor/contract'
import { seqAt } from '@ephor/engine/ledger'
import type { PolicyFiles } from '@ephor/engine/policy'
import type { BacktestsOptions, Context } from './context.ts'
import { differences, noTally } from './rules.ts'
import { endRun, isClean, startedEntry, work } from './run.ts'
import { insertRun, readRuns } from './store.ts'
import type { Run } from './types.ts'

const TICK_MS = 60_000
/** Waiting at once, at most. */
const MAX_WAITING = 20
/** The clean check that the next one goes on from is looked for among so many. */
const LOOKED_AT = 50

export type StartBacktest = {
  by: string
  files: PolicyFiles
  /** ms since 1970 */
  since?: number | undefined
  agent?: string | undefined
  most?: number | undefined
}

/** The last check; `failed`: it did not come to its end. */
export type Drift = { run: string; failed: boolean; checkedAt: number; upTo: number; differences: number }

export interface Backtests {
  /** Makes recorded decisions again with these texts. @throws Fault POLICY_INVALID, RATE_LIMITED */
  start(how: StartBacktest): Promise<Run>
  /**
   * Makes every decision since the last clean check again with its own version and world; one that is under way is returned.
   * @param by `per_…` or `system`
   */
  checkDrift(by: string): Promise<Run>
  /** As far as it is. @throws Fault NOT_FOUND */
  show(id: string): Promise<Run>
  list(query: { cursor?: string | undefined; limit: number }): Promise<{ items: Run[]; next?: string }>
  /** @throws Fault NOT_FOUND, CONFLICT when it has ended */
  stop(id: string): Promise<Run>
  /** The last whole run of these texts. */
  ofVersion(version: string): Promise<Run | undefined>
  drift(): Promise<Drift | undefined>
  /** Starts a check for drift when it is due, as the timer does. */
  tick(): Promise<void>
  /** Resolves when nothing runs or waits. */
  idle(): Promise<void>
  close(): Promise<void>
}

/** @throws Fault POLICY_INVALID with the first thing that keeps the texts from ever becoming active */
async function inspect({ policy }: Context, files: PolicyFiles): Promise<string> {
  const { version, findings } = await policy.versions.inspect(files)
  const error = findings.find(({ severity }) => severity === 'error')
  if (!error) return version
  const where = `${error.file}:${error.line}:${error.column}`
  throw new Fault('POLICY_INVALID', `${where}: ${error.message}`, { where })
}

/** So that the first check comes in time, however often the process is started again. */
async function bornAt({ ledger, clock }: Context): Promise<number> {
  const at = (await ledger.read(0))?.body['at']
  return typeof at === 'string' ? Date.parse(at) : clock.now()
}

/** The last seq up to which everything came out again. */
async function checkedUpTo(context: Context): Promise<number> {
  for (const run of await context.runs.list({ kind: 'drift', state: 'done', limit: LOOKED_AT }))
    if (await isClean(context, run)) return run.upTo
  return -1
}

export async function openBacktests(options: BacktestsOptions): Promise<Backtests> {
  const context: Context = { ...options, runs: readRuns(options.store) }
  const { ledger, clock, log, runs, policy, driftEveryMs } = context
  const waiting: Run[] = []
  const stopped = new Set<string>()
  let current: Run | undefined
  /** Asked for, and not written yet. */
  let beginning = 0
  let checking: Promise<Run> | undefined
  let closing = false
  let working: Promise<void> = Promise.resolve()

  async function take(run: Run): Promise<void> {
    current = run
    try {
      await work(context, run, () => (closing ? 'closing' : stopped.has(run.id) ? 'stopped' : undefined))
    } catch (error) {
      // Replicas that start take up what is cut off; of two that do, one gets to the end first.
      if (error instanceof Fault && error.code === 'CONFLICT') return
      log.error({ run: run.id, err: error }, 'a backtest failed')
      const fault = error instanceof Fault ? error.code : 'INTERNAL'
      // A store that can't write leaves it running: it is taken up again at the next start.
      await endRun(context, run, { state: 'failed', fault }).catch((failure: unknown) =>
        log.error({ err: failure, run: run.id }, 'and its end could not be written'),
      )
    } finally {
      current = undefined
    }
  }
  async function takeNext(): Promise<void> {
    const next = waiting.shift()
    if (next && !closing) await take(next)
  }
  function enqueue(run: Run): Run {
    waiting.push(run)
    working = working.then(takeNext)
    return run
  }

  async function begin(
    what: Pick<Run, 'kind' | 'by' | 'after' | 'version' | 'agent' | 'most'>,
    size: number,
    files?: PolicyFiles,
  ): Promise<Run> {
    if (waiting.length + beginning >= MAX_WAITING) throw new Fault('RATE_LIMITED', `${MAX_WAITING} backtests are waiting; stop some first`)
    const run: Run = {
      ...what,
      id: clock.id('btr'),
      state: 'running',
      upTo: Math.max(size - 1, what.after),
      position: what.after,
      tally: noTally(),
      fault: undefined,
      startedAt: clock.now(),
      endedAt: undefined,
    }
    const kept = files ? [policy.versions.keep(files)] : []
    beginning++
    try {
      await ledger.append({ changes: [...kept, insertRun(run)], entries: [startedEntry(run)] })
    } finally {
      beginning--
    }
    return enqueue(run)
  }

  async function beginCheck(by: string): Promise<Run> {
    const underWay = [current, ...waiting].find((run) => run?.kind === 'drift')
    // Perhaps on another replica.
    const elsewhere = underWay ?? (await runs.list({ kind: 'drift', state: 'running', limit: 1 }))[0]
    if (elsewhere) return elsewhere
    const { size } = await ledger.head()
    const after = await checkedUpTo(context)
    return begin({ kind: 'drift', by, after, version: undefined, agent: undefined, most: undefined }, size)
  }

  /** Two at once would look at the same. */
  const checkDrift = (by: string): Promise<Run> => (checking ??= beginCheck(by).finally(() => (checking = undefined)))

  async function show(id: string): Promise<Run> {
    const live = [current, ...waiting].find((run) => run?.id === id)
    const run = live ? structuredClone(live) : await runs.find(id)
    if (!run) throw new Fault('NOT_FOUND', `no backtest ${id}`)
    return run
  }

  async function tick(): Promise<void> {
    if (driftEveryMs === 0 || closing) return
    const [last] = await runs.list({ kind: 'drift', limit: 1 })
    if (clock.now() - (last?.startedAt ?? (await bornAt(context))) >= driftEveryMs) await checkDrift('system')
  }

  for (const run of await runs.running()) enqueue(run)
  const timer = setInterval(() => {
    tick().catch((error: unknown) => log.error({ err: error }, 'the check for drift could not be started; it is tried again'))
  }, TICK_MS).unref()

  return {
    async start({ by, files, since, agent, most }) {
      const version = await inspect(context, files)
      const { size } = await ledger.head()
      const after = since === undefined ? -1 : (await seqAt(ledger, size, since)) - 1
      return begin({ kind: 'candidate', by, after, version, agent, most }, size, files)
    },
    checkDrift,
    show,
    async list({ cursor, limit }) {
      const found = await runs.list({ limit: limit + 1, ...(cursor === undefined ? {} : { cursor }) })
      const items = found.slice(0, limit)
      const end = items.at(-1)
      return found.length > limit && end ? { items, next: end.id } : { items }
    },
    async stop(id) {
      const run = await show(id)
      if (run.state !== 'running') throw new Fault('CONFLICT', `${id} has ended`)
      stopped.add(id)
      return run
    },
    ofVersion: (version) => runs.ofVersion(version),
    async drift() {
      const ended = await Promise.all((['done', 'failed'] as const).map((state) => runs.list({ kind: 'drift', state, limit: 1 })))
      const [last] = ended.flat().toSorted((a, b) => (a.id < b.id ? 1 : -1))
      if (!last) return undefined
      const { id, state, endedAt, startedAt, upTo, tally } = last
      return { run: id, failed: state === 'failed', checkedAt: endedAt ?? startedAt, upTo, differences: differences(tally) }
    },
    tick,
    idle: () => working,
    async close() {
      clearInterval(timer)
      closing = true
      await working
    },
  }
}
