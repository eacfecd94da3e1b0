/** What is true of every request that Ephor puts to its policies, beyond the types: it keeps the examples real. */
import type { Encoder } from './make-encoder.ts'
import { eq, or, text } from './smt.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** The end of the year 9999, in ms: the last that Cedar's JSON form can write. */
const LAST = 253_402_300_799_999

/** Makes attributes unknowns that only together are real. */
function meet({ context }: Encoder, record: string, names: readonly string[]): void {
  const { term } = context.kind === 'record' ? context.field(record) : { term: context }
  for (const name of names) if (term.kind === 'record') term.field(name)
}

/** @param soft ids of the policies whose asks can be answered */
export function addAssumptions(encoder: Encoder, soft: readonly string[]): void {
  const of = (...path: string[]) => {
    const key = JSON.stringify(path)
    return encoder.unknowns.find((one) => one.where === 'context' && one.part === 'value' && JSON.stringify(one.path) === key)?.smt
  }
  if (of('time', 'now') ?? of('time', 'hour') ?? of('time', 'weekday')) meet(encoder, 'time', ['now', 'hour', 'weekday'])
  if (of('paths', 'outside') ?? of('paths', 'all')) meet(encoder, 'paths', ['all', 'outside'])
  const approvals = of('approvals')
  if (approvals !== undefined) {
    const none = '((as const (Array String Bool)) false)'
    const given = soft.reduce((set, id) => `(store ${set} ${text(id) ?? '""'} ${encoder.anything(`approved ${id}`, 'Bool')})`, none)
    encoder.assume(`(= ${approvals} ${given})`)
  }
  const [now, hour, weekday] = [of('time', 'now'), of('time', 'hour'), of('time', 'weekday')]
  if (hour !== undefined) encoder.assume(`(<= 0 ${hour} 23)`)
  if (weekday !== undefined) encoder.assume(`(<= 1 ${weekday} 7)`)
  if (now !== undefined) encoder.assume(`(<= 0 ${now} ${LAST})`)
  if (now !== undefined && hour !== undefined) encoder.assume(eq(hour, `(div (mod ${now} ${DAY}) ${HOUR})`))
  // The first of January 1970 was a Thursday.
  if (now !== undefined && weekday !== undefined) encoder.assume(eq(weekday, `(+ 1 (mod (+ 3 (div ${now} ${DAY})) 7))`))
  for (const path of [
    ['risk', 'score'],
    ['session', 'calls'],
    ['session', 'age'],
  ]) {
    const smt = of(...path)
    if (smt !== undefined) encoder.assume(`(>= ${smt} 0)`)
  }
  const tier = of('risk', 'tier')
  if (tier !== undefined) encoder.assume(or(...['low', 'medium', 'high', 'critical'].map((one) => eq(tier, `"${one}"`))))
  for (const one of encoder.unknowns)
    if (one.where === 'context' && one.part === 'value' && one.path[0] === 'budget' && one.path.at(-1) !== 'left')
      encoder.assume(`(>= ${one.smt} 0)`)
  const [all, outside] = [of('paths', 'all'), of('paths', 'outside')]
  if (all !== undefined && outside !== undefined) encoder.assume(`(= ((_ map and) ${all} ${outside}) ${outside})`)
}
