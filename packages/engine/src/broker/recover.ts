/** Seals permits whose outcome never came as `unknown`: after a crash, and when an enforcement point let its deadline pass. */
import { Fault } from '@ephor/contract'
import { LONGEST_WINDOW_MS } from './limits.ts'
import type { Context } from './context.ts'
import { appendOutcome } from './seal.ts'
import type { StoredDecision } from './store.ts'

async function sealUnknown(context: Context, row: StoredDecision): Promise<boolean> {
  try {
    await appendOutcome(context, row, { status: 'unknown', by: 'recovery' })
    return true
  } catch (error) {
    // The outcome came in the meantime: that one holds.
    if (error instanceof Fault && (error.code === 'OUTCOME_DECIDED' || error.code === 'CONFLICT')) return false
    throw error
  }
}

/**
 * At start: nothing that this process ran can be in flight, so every such permit is lost, unless other replicas run calls
 * too; theirs, like those of enforcement points, have until their deadline. Also rebuilds the rate limits.
 * @returns how many outcomes were sealed
 */
export async function recover(context: Context): Promise<number> {
  const now = context.clock.now()
  const limited = await context.decisions.limitedSince(now - LONGEST_WINDOW_MS)
  context.limits.clear()
  for (const row of limited) context.limits.reserve(row.agent, row.obligations, row.at)
  const isAlone = context.store.kind === 'sqlite'
  let sealed = 0
  for (;;) {
    const lost = (await context.decisions.open()).filter((row) => (isAlone && row.door === 'mcp') || (row.deadline ?? 0) <= now)
    if (lost.length === 0) return sealed
    for (const row of lost) if (await sealUnknown(context, row)) sealed++
  }
}

/** While running: what is past its deadline and not in flight here. */
export async function sweep(context: Context, inFlight: ReadonlySet<string>): Promise<number> {
  let sealed = 0
  for (const row of await context.decisions.open(context.clock.now())) {
    if (!inFlight.has(row.id) && (await sealUnknown(context, row))) sealed++
  }
  return sealed
}
