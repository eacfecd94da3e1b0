/** Pure: what changed between a record and the decision that is made again from it, and how findings are added up. */
import { digestOfVerdict, verdictOf } from '@ephor/engine/policy'
import type { Decision } from '@ephor/engine/policy'
import type { JsonObject } from '@ephor/engine/kernel'
import { canonicalize } from '@ephor/proof'
import type { Changed, Effect, Said, Skip, Tally, Transitions } from './types.ts'

const MAX_CHANGED = 200
/** Agents and tools in the tables; the rest is added up under `others`. */
const MAX_NAMES = 500
/** What must never happen to a record: found by a check for drift, it is a fault. */
const LOSSES = new Set<Skip>(['corrupt', 'version', 'world'])

export const noTally = (): Tally => ({
  seen: 0,
  replayed: 0,
  same: 0,
  transitions: {},
  agents: {},
  tools: {},
  skipped: {},
  changed: [],
  lost: [],
})

export function recordSkip(tally: Tally, skip: Skip, decision: string): void {
  tally.seen++
  tally.skipped[skip] = (tally.skipped[skip] ?? 0) + 1
  if (LOSSES.has(skip) && tally.lost.length < MAX_CHANGED) tally.lost.push({ decision, skip })
}

const add = (into: Transitions, name: string, count: number) => (into[name] = (into[name] ?? 0) + count)

function addNamed(into: Tally['agents'], name: string, transition: string, count: number): void {
  const key = Object.hasOwn(into, name) || Object.keys(into).length < MAX_NAMES ? name : 'others'
  add((into[key] ??= {}), transition, count)
}

export function recordReplayed(tally: Tally, changed: Changed | undefined): void {
  tally.seen++
  tally.replayed++
  if (!changed) {
    tally.same++
    return
  }
  const transition = `${changed.from.effect}→${changed.to.effect}`
  add(tally.transitions, transition, 1)
  addNamed(tally.agents, changed.agent, transition, 1)
  addNamed(tally.tools, changed.action, transition, 1)
  if (tally.changed.length < MAX_CHANGED) tally.changed.push(changed)
}

function addAll(into: Tally['agents'], from: Tally['agents']): void {
  for (const [name, transitions] of Object.entries(from))
    for (const [transition, count] of Object.entries(transitions)) addNamed(into, name, transition, count)
}

/** @returns the first, with the second in it */
export function addTally(into: Tally, next: Tally): Tally {
  into.seen += next.seen
  into.replayed += next.replayed
  into.same += next.same
  for (const [transition, count] of Object.entries(next.transitions)) add(into.transitions, transition, count)
  addAll(into.agents, next.agents)
  addAll(into.tools, next.tools)
  for (const [skip, count] of Object.entries(next.skipped) as [Skip, number][]) into.skipped[skip] = (into.skipped[skip] ?? 0) + count
  into.changed.push(...next.changed.slice(0, MAX_CHANGED - into.changed.length))
  into.lost.push(...next.lost.slice(0, MAX_CHANGED - into.lost.length))
  return into
}

/** How many decisions did not come out again, by what must not happen. */
export function differences({ replayed, same, skipped }: Tally): number {
  return replayed - same + [...LOSSES].reduce((sum, skip) => sum + (skipped[skip] ?? 0), 0)
}

/** What policy said, of what the entry says: where something else decided after it, `said` is policy's. */
export function saidThen(body: JsonObject): Said {
  const { effect, said, fault, reasons } = body as { effect: Effect; said?: Effect; fault?: string; reasons: string[] }
  return { effect: said ?? effect, reasons, ...(said === undefined && fault !== undefined ? { fault } : {}) }
}

export function saidNow(decision: Decision): Said {
  const { effect, reasons } = decision
  return { effect, reasons: reasons.map(({ policy }) => policy), ...(effect === 'deny' ? { fault: decision.fault } : {}) }
}

/** What an entry says of policy's own verdict. Asks and what permits take were not in bodies before the digest was kept. */
function partlySame(body: JsonObject, decision: Decision): boolean {
  const then = saidThen(body)
  if (canonicalize(then) !== canonicalize(saidNow(decision))) return false
  const { risk, obligations = [] } = verdictOf(decision)
  if (canonicalize(risk ?? null) !== canonicalize(body['risk'] ?? null)) return false
  return then.effect !== 'permit' || body['said'] !== undefined || canonicalize(obligations) === canonicalize(body['obligations'] ?? [])
}

/** @param answer the digest of what policy said then */
export function isSame(body: JsonObject, answer: string | undefined, decision: Decision): boolean {
  return answer === undefined ? partlySame(body, decision) : answer === digestOfVerdict(decision)
}
