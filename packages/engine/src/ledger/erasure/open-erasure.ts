/** Opens erasure on a ledger: who is erased, what expires and what is held, each said by an entry in the transaction that does it. */
import { Fault } from '@ephor/contract'
import type { ErasureDone, ErasurePreview, ErasureView, RetentionRules, RetentionView } from '@ephor/contract'
import type { Clock, JsonObject, Logger, Store } from '@ephor/engine/kernel'
import { digestOfKey } from '../data-keys.ts'
import type { Ledger, Part } from '../types.ts'
import { clearDestroyed } from './clear.ts'
import { byHold, destroying, holdOn } from './destroy-keys.ts'
import { appendErased, nameOf, readErased, subjectOfName } from './erased-file.ts'
import type { Erased } from './erased-file.ts'
import { erasureStore } from './erasure-store.ts'
import type { ErasureStore, KeyRow } from './erasure-store.ts'
import { makeHolds } from './holds.ts'
import type { Holds } from './holds.ts'
import { dayOf, OTHER, parseKeyName } from './key-name.ts'
import { checkRules, classesOf } from './retention-rules.ts'
import { changeState, entryId, loadState } from './retention-state.ts'
import type { RetentionState, StateChange } from './retention-state.ts'
import { survey } from './survey.ts'
import { makeSweep } from './sweep.ts'
import type { Sweep } from './sweep.ts'

export type ErasureRooms = {
  store: Store
  ledger: Ledger
  clock: Clock
  log: Logger
  /** The list of destroyed keys outside the store. */
  file: string
}

/** A preview without what other rooms know of the subject. */
export type Preview = Omit<ErasurePreview, 'names'>
export type Erasure = Awaited<ReturnType<typeof openErasure>>
/** Rows of another room that name the subject: what overwrites them in the unit of the erasure, with the entries that say so. */
export type Names = { rooms: readonly string[]; part: () => Promise<Part> }
/** What one erasure did here. `named`: whether names went too. */
type Done = Omit<ErasureDone, 'names'> & { named: boolean }

/** What the parts of erasure work with. */
export type Context = ErasureRooms & { reads: ErasureStore; change: Change; load: () => Promise<RetentionState> }
type Change = (work: (state: RetentionState, version: number) => Promise<StateChange | undefined>) => Promise<string[] | undefined>

function viewOf(entry: string, body: JsonObject): ErasureView {
  const { type, at, subject, reason, by, counts, destroyed } = body
  return {
    entry,
    at: typeof at === 'string' ? at : '',
    type: type === 'ledger.erased' ? type : 'ledger.expired',
    ...(typeof subject === 'string' ? { subject } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
    by: typeof by === 'string' ? by : '',
    keys: Object.keys(Object(destroyed)).length,
    ...(typeof counts === 'object' && counts !== null ? { payloads: counts as Record<string, number> } : {}),
  }
}

/** Destroys again what an older copy of the database brought back. @returns how many keys */
async function destroyAgain({ reads, change, log }: Context, erased: Erased): Promise<number> {
  const back: KeyRow[] = []
  for (let after = ''; ;) {
    const page = await reads.keys(after, 1000)
    back.push(...page.filter(({ name, sealed }) => erased.get(name) === digestOfKey(sealed)))
    const last = page.at(-1)
    if (!last) break
    after = last.name
  }
  if (back.length === 0) return 0
  log.warn({ keys: back.length }, 'keys that were destroyed before are in the store again; they are destroyed again')
  await change(async (_, version) => destroying(back, version, { type: 'ledger.erased', body: { reason: 'came-back', by: 'system' } }))
  return back.length
}

/** Brings the list outside up to what the store says. */
async function keepOutside(reads: ErasureStore, file: string): Promise<Erased> {
  const erased = readErased(file)
  for (let after = ''; ;) {
    const page = await reads.destroyed(after, 1000)
    const missing = page.filter(({ name, digest }) => erased.get(name) !== digest)
    if (missing.length > 0)
      appendErased(
        file,
        missing.map(({ name, digest }) => [name, digest] as const),
      )
    for (const { name, digest } of missing) erased.set(name, digest)
    const last = page.at(-1)
    if (!last) return erased
    after = last.name
  }
}

/**
 * @throws Fault STORE_CORRUPT when holds or rules are not those that the ledger says
 */
export async function openErasure(rooms: ErasureRooms) {
  const { store, ledger, clock, log, file } = rooms
  const { dataKeys } = ledger
  const reads = erasureStore(store)
  let seen = -1

  /** What is in force counts for the next payload; and what another replica destroyed is forgotten here. */
  async function follow(): Promise<RetentionState> {
    const state = await loadState(reads, ledger)
    const before = seen === -1 ? state.version : seen
    for (let version = before + 1; version <= state.version; version++)
      for (let part = 0; ; part++) {
        const entry = await ledger.find(entryId(version, part))
        if (!entry) break
        const { destroyed } = entry.body
        if (typeof destroyed !== 'object' || destroyed === null) break
        dataKeys.forget({ names: new Set(Object.keys(destroyed)) })
        appendErased(file, Object.entries(destroyed) as [string, string][])
      }
    if (seen !== state.version) dataKeys.classify(classesOf(state.rules))
    seen = state.version
    return state
  }

  const context: Context = {
    ...rooms,
    reads,
    load: () => loadState(reads, ledger),
    async change(work) {
      const entries = await changeState(reads, ledger, work)
      await follow()
      return entries
    },
  }
  const erasedBefore = await keepOutside(reads, file)
  await follow()
  const again = await destroyAgain(context, erasedBefore)
  const holds: Holds = makeHolds(context)
  const sweeping: Sweep = makeSweep(context)
  const stopFollowing = store.onForeign(
    () => void follow().catch((error: unknown) => log.error({ err: error }, 'erasures of another replica could not be taken over')),
  )

  async function preview(subject: string): Promise<Preview> {
    const { free, held } = byHold(await reads.keysOf(subject), await loadState(reads, ledger))
    const { commitments, ...goes } = await survey(reads, ledger, subject, new Set(free.map(({ name }) => name)))
    return { subject, goes: { keys: free.length, ...goes }, held, stays: { entries: await reads.size(), commitments } }
  }

  /** Overwrites what was deleted, where the store can. */
  async function scrub(): Promise<boolean> {
    return store.kind === 'sqlite' && (await store.call('scrub', undefined)) === true
  }

  return {
    holds,
    /** Keys that an older copy of the store brought back, destroyed again at the start. */
    again,
    preview,
    /** Subjects whose names are erased, by the list outside the store: rooms above the ledger keep it. */
    namesErased: (): string[] => [...readErased(file).keys()].flatMap((name) => subjectOfName(name) ?? []),
    /** Durable when it returns. */
    keepErased(subjects: Iterable<string>): void {
      const known = readErased(file)
      const missing = [...subjects].map(nameOf).filter((name) => !known.has(name))
      if (missing.length > 0)
        appendErased(
          file,
          missing.map((name) => [name, digestOfKey(Buffer.from(name))] as const),
        )
    },
    /** The hold for which the subject has to stay known, if there is one. */
    holdOn: async (subject: string): Promise<string | undefined> => holdOn(subject, await loadState(reads, ledger)),
    sweep: sweeping.run,
    startSweeping: sweeping.start,

    /**
     * Destroys what is sealed for a subject up to now and not held. What it does from now on is sealed under new keys.
     * @param by `per_…`
     * @param names what goes with it, unless a hold covers the subject
     * @throws Fault LEGAL_HOLD when all of it is held
     */
    async erase(subject: string, { reason, by }: { reason: string; by: string }, names?: Names): Promise<Done> {
      const { goes } = await preview(subject)
      let done = { keys: 0, held: [] as Preview['held'], named: false }
      const entries = await context.change(async (state, version) => {
        const stored = await reads.keysOf(subject)
        // What this process sealed and did not store yet stands before this erasure in the store's queue.
        const known = new Set(stored.map(({ name }) => name))
        const queued = dataKeys.forget({ subject }).filter(({ name }) => !known.has(name))
        const { free, held } = byHold([...stored, ...queued.map(({ name, sealed }) => ({ name, sealed }))], state)
        if (free.length === 0 && held.length > 0)
          throw new Fault('LEGAL_HOLD', `everything of ${subject} is held by ${held.map(({ hold }) => hold).join(', ')}`)
        const named = names !== undefined && holdOn(subject, state) === undefined
        done = { keys: free.length, held, named }
        if (free.length === 0 && !named) return undefined
        const body = { subject, reason, by, counts: goes.payloads, ...(named ? { names: [...names.rooms] } : {}) }
        const destroyed = destroying(free, version, { type: 'ledger.erased', body })
        return named ? { ...destroyed, also: await names.part() } : destroyed
      })
      const overwritten = entries !== undefined && (await scrub())
      clearDestroyed(context).catch((error: unknown) => log.warn({ err: error }, 'erased bytes are still stored; they are removed later'))
      return { entries: entries ?? [], ...done, payloads: entries ? goes.payloads : {}, overwritten }
    },

    /** Erasures and expiries, the last first. */
    async list(limit: number): Promise<ErasureView[]> {
      const { version } = await loadState(reads, ledger)
      const found: ErasureView[] = []
      for (let at = version; at > 0 && found.length < limit; at--)
        for (let part = 0; found.length < limit; part++) {
          const entry = await ledger.find(entryId(at, part))
          if (!entry || !Object.hasOwn(entry.body, 'destroyed')) break
          found.push(viewOf(entryId(at, part), entry.body))
        }
      return found
    },

    async retention(): Promise<RetentionView> {
      const { rules, version, swept } = await loadState(reads, ledger)
      const kept = new Map<string, { keys: number; oldest?: string }>()
      for (let after = ''; ;) {
        const page = await reads.keys(after, 1000)
        for (const { name } of page) {
          const { class: retentionClass = OTHER, day } = parseKeyName(name)
          const of = kept.get(retentionClass) ?? { keys: 0 }
          const oldest = of.oldest === undefined || (day !== undefined && day < of.oldest) ? day : of.oldest
          kept.set(retentionClass, { keys: of.keys + 1, ...(oldest === undefined ? {} : { oldest }) })
        }
        const last = page.at(-1)
        if (!last) break
        after = last.name
      }
      const keys = [...kept].map(([name, of]) => ({ class: name, ...of })).toSorted((a, b) => (a.class < b.class ? -1 : 1))
      return { rules, version, ...(swept === null ? {} : { swept }), keys }
    },

    /** @throws Fault RETENTION_INVALID */
    async setRules(rules: RetentionRules, by: string): Promise<number> {
      checkRules(rules)
      await context.change(async () => ({
        after: { rules, swept: dayOf(clock.now()) },
        changes: [],
        entries: [{ type: 'ledger.retention.set', body: { rules: JSON.parse(JSON.stringify(rules)) as JsonObject, by } }],
      }))
      return (await loadState(reads, ledger)).version
    },

    /** Removes the sealed bytes of destroyed keys that are still stored. @returns how many payloads */
    clear: () => clearDestroyed(context),

    close() {
      sweeping.stop()
      stopFollowing()
    },
  }
}
