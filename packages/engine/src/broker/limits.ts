/** Rate limits that permits carry as obligations: exact sliding windows, reserved before the permit is sealed. */
import type { Obligation } from '@ephor/engine/policy'

const WINDOW = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

type Limit = Extract<Obligation, { kind: 'limit' }>

export const LONGEST_WINDOW_MS = WINDOW.day

/** The limit that is used up, and when it frees, in ms. */
type UsedUp = { used: Limit; freeAt: number }

export function describeUsedUp({ used, freeAt }: UsedUp, now: number): string {
  return `${used.count} a ${used.per} are used up (policy ${used.policy}); the next is free in ${Math.ceil((freeAt - now) / 1000)} s`
}

export type Limits = {
  /** Counts one permit against each limit, or none of them: then answers the one that is used up. */
  reserve(agent: string, obligations: readonly Obligation[], now: number): UsedUp | undefined
  /** Forgets every count; for rebuilding them from the store. */
  clear(): void
  /** Takes a reservation back: nothing was permitted after all. */
  release(agent: string, obligations: readonly Obligation[], at: number): void
}

/** Counts are per policy, limit and agent; memory is bounded by the limits themselves. */
export function makeLimits(): Limits {
  const windows = new Map<string, number[]>()
  const limitsOf = (obligations: readonly Obligation[]) => obligations.filter((o): o is Limit => o.kind === 'limit')
  const windowOf = (agent: string, { policy, count, per }: Limit) => {
    const key = `${agent} ${policy} ${count}/${per}`
    let window = windows.get(key)
    if (!window) windows.set(key, (window = []))
    return window
  }
  return {
    reserve(agent, obligations, now) {
      const limits = limitsOf(obligations).map((limit) => ({ limit, window: windowOf(agent, limit) }))
      for (const { limit, window } of limits) {
        const start = now - WINDOW[limit.per]
        while (window[0] !== undefined && window[0] <= start) window.shift()
        if (window.length >= limit.count) return { used: limit, freeAt: (window[0] ?? now) + WINDOW[limit.per] }
      }
      for (const { window } of limits) window.push(now)
      return undefined
    },
    clear: () => windows.clear(),
    release(agent, obligations, at) {
      for (const limit of limitsOf(obligations)) {
        const window = windowOf(agent, limit)
        const i = window.lastIndexOf(at)
        if (i >= 0) window.splice(i, 1)
      }
    },
  }
}
