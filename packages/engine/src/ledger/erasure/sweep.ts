/** Expires what is kept long enough: destroys keys whose whole class and day is past. */
import { Fault } from '@ephor/contract'
import type { KeyRow } from './erasure-store.ts'
import { markSwept } from './erasure-store.ts'
import { clearDestroyed } from './clear.ts'
import { dayOf, daysBetween, OTHER, parseKeyName } from './key-name.ts'
import { destroying } from './destroy-keys.ts'
import type { Context } from './open-erasure.ts'
import { heldBy, isPast, keptFor } from './retention-rules.ts'
import { toHold } from './retention-state.ts'
import type { RetentionState } from './retention-state.ts'

/** Keys that one unit destroys. */
const BATCH = 300
/** A clock that is this many days ahead of the last sweep is not believed without a person: what it destroys is gone. */
const MAX_LEAP_DAYS = 31
const EVERY_MS = 3_600_000

/** `groups`: those of a person; empty for agents. */
export type SweepInput = { groupsOf: (subject: string) => readonly string[]; by: string; force?: boolean }

export type Sweep = {
  /** @throws Fault RETENTION_INVALID when the clock is far ahead of the last sweep, unless it is forced */
  run: (input: SweepInput) => Promise<{ keys: number; entries: string[] }>
  /** Runs now and every hour. */
  start: (groupsOf: SweepInput['groupsOf']) => void
  stop: () => void
}

export function makeSweep(context: Context): Sweep {
  const { store, reads, change, load, clock, log } = context
  let timer: NodeJS.Timeout | undefined

  function pastOf(keys: readonly KeyRow[], { rules, holds }: RetentionState, groupsOf: SweepInput['groupsOf'], today: string): KeyRow[] {
    const inForce = holds.map(toHold)
    return keys.filter(({ name }) => {
      const key = parseKeyName(name)
      const kept = keptFor(rules, key, { tenant: store.tenant, groups: groupsOf(key.subject) })
      return isPast(key, kept, today) && !heldBy(inForce, key)
    })
  }

  function classesOf(keys: readonly KeyRow[]): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { name } of keys) {
      const { class: retentionClass = OTHER } = parseKeyName(name)
      counts[retentionClass] = (counts[retentionClass] ?? 0) + 1
    }
    return counts
  }

  async function run({ groupsOf, by, force = false }: SweepInput): Promise<{ keys: number; entries: string[] }> {
    const today = dayOf(clock.now())
    const before = await load()
    if (before.rules.rules.length === 0) return { keys: 0, entries: [] }
    if (!force && before.swept !== null && daysBetween(before.swept, today) > MAX_LEAP_DAYS)
      throw new Fault(
        'RETENTION_INVALID',
        `today (${today}) is ${daysBetween(before.swept, today)} days after the last sweep: if the clock is right, run ephor ledger retention sweep`,
      )
    const done = { keys: 0, entries: [] as string[] }
    for (let after = ''; ;) {
      const page = await reads.keys(after, BATCH)
      const last = page.at(-1)
      if (!last) break
      after = last.name
      if (pastOf(page, before, groupsOf, today).length === 0) continue
      let destroyed = 0
      const entries = await change(async (state, version) => {
        // Again: rules, holds and keys may have changed since, here or in another replica.
        const present = await Promise.all(page.map(({ name }) => reads.key(name)))
        const past = pastOf(
          present.filter((key) => key !== undefined),
          state,
          groupsOf,
          today,
        )
        destroyed = past.length
        if (past.length === 0) return undefined
        return destroying(past, version, { type: 'ledger.expired', body: { day: today, by, counts: classesOf(past) } })
      })
      done.keys += destroyed
      done.entries.push(...(entries ?? []))
    }
    const { version, swept } = await load()
    if (swept !== today) await store.commit({ changes: [markSwept(today, version)] })
    if (done.keys > 0) {
      if (store.kind === 'sqlite') await store.call('scrub', undefined)
      log.info({ keys: done.keys }, 'content that was kept long enough has expired')
    }
    await clearDestroyed(context)
    return done
  }

  return {
    run,
    start(groupsOf) {
      const sweep = () =>
        void run({ groupsOf, by: 'system' }).catch((error: unknown) => log.error({ err: error }, 'what is past could not expire'))
      timer = setInterval(sweep, EVERY_MS)
      timer.unref()
      sweep()
    },
    stop: () => clearInterval(timer),
  }
}
