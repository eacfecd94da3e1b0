/** What two versions decide differently, as classes of requests, each with a request that both were asked. */
import type { Charter } from '../charter/charter.ts'
import { checkFiles } from '../check-files.ts'
import type { Checked } from '../check-files.ts'
import { makeSchema } from '../make-schema.ts'
import type { WorldSchema } from '../make-schema.ts'
import type { PolicyFiles, PolicyWorld } from '../types.ts'
import { askingOf, examplesOf, isBroken, LIMITS } from './analyze.ts'
import { together } from './check-policies.ts'
import { merge } from './describe-difference.ts'
import type { Found } from './describe-difference.ts'
import { witnessEvaluator } from './evaluate-witness.ts'
import type { Namespace } from './make-encoder.ts'
import { all, any, fails, makeProver, none, satisfied } from './prove.ts'
import type { Goal, Prover, Shown } from './prove.ts'
import { requestClasses } from './request-classes.ts'
import type { EncodedClass } from './request-classes.ts'
import { startSolver } from './start-solver.ts'
import type { SolverLimits } from './start-solver.ts'
import type { DiffResult, Effect, Subject, Undecided } from './types.ts'

/** A policy of one version: its id says of which, the rest is as it was. */
export type Version = 'from' | 'to'
export type Side = Subject & { version: Version; named: string; changed: boolean }

const TRANSITIONS: readonly (readonly [Effect, Effect])[] = [
  ['deny', 'permit'],
  ['hold', 'permit'],
  ['deny', 'hold'],
  ['permit', 'hold'],
  ['permit', 'deny'],
  ['hold', 'deny'],
]
/** Classes of one transition within one class of requests; what is beyond is said to be open. */
const MAX_CLASSES = 8

/** The same words decide the same, wherever they stand and whatever they are called. */
const contentOf = ({ json: { effect, principal, action, resource, conditions }, ask }: Subject) =>
  JSON.stringify([effect, ask !== undefined, principal, action, resource, conditions], (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  )

function sidesOf(from: Checked, to: Checked): Side[] {
  const contents = (checked: Checked) => new Set([...checked.policies.values()].map(contentOf))
  const [before, after] = [contents(from), contents(to)]
  const side = (checked: Checked, version: Version, others: ReadonlySet<string>) =>
    [...checked.policies.values()].map((one): Side => ({
      ...one,
      id: `${version} ${one.id}`,
      named: one.id,
      version,
      changed: !others.has(contentOf(one)),
    }))
  return [...side(from, 'from', after), ...side(to, 'to', before)]
}

/** What a version makes of a request before anybody has approved anything. */
function effectsOf(of: EncodedClass, side: readonly Side[]): Record<Effect, Goal> {
  const { permitted, forbidden, asked, failed } = together(of, side)
  const open = all(permitted, none(failed, forbidden))
  return { deny: any(failed, forbidden, none(permitted)), hold: all(open, asked), permit: all(open, none(asked)) }
}

/** The changed policies that speak on the request: they make it one of a kind. */
const speakers = (changed: readonly Side[], { outcome }: Shown) =>
  changed.filter(({ id }) => outcome.satisfied.has(id) || outcome.failed.has(id))

async function differencesIn(of: EncodedClass, sides: readonly Side[], prover: Prover, undecided: Undecided[]): Promise<Found[]> {
  const changed = sides.filter((side) => side.changed && of.policies.has(side.id))
  const found: Found[] = []
  const effects = (version: Version) =>
    effectsOf(
      of,
      sides.filter((side) => side.version === version),
    )
  const [before, after] = [effects('from'), effects('to')]
  const same = any(...(['permit', 'hold', 'deny'] as const).map((one) => all(before[one], after[one])))
  const anything = await prover.find(of, none(same))
  if (anything.kind === 'none') return found
  const open = (question: string) => void undecided.push({ policy: '*', question, actions: of.actions })
  for (const [from, to] of TRANSITIONS) {
    let goal = all(before[from], after[to])
    for (let round = 0; ; round++) {
      const verdict = await prover.find(of, goal)
      if (verdict.kind === 'none') break
      if (verdict.kind === 'unknown' || round === MAX_CLASSES) {
        open(`${round === 0 ? 'whether any request' : 'which other requests'} that got ${from} would get ${to}`)
        break
      }
      const speaking = speakers(changed, verdict)
      found.push({ from, to, of, speaking, witness: verdict.witness })
      if (speaking.length === 0) break
      goal = all(goal, none(all(...speaking.map(({ id }) => any(satisfied(of, id), fails(of, id))))))
    }
  }
  return found
}

/** Everything that both versions know: a budget that only one declares is one that a call may have or not. */
const schemaOf = (world: PolicyWorld, ...charters: readonly Charter[]): WorldSchema =>
  makeSchema(world, [...new Set(charters.flatMap(({ budgets }) => Object.keys(budgets)))].toSorted())

export async function diff(from: PolicyFiles, to: PolicyFiles, world: PolicyWorld, limits: SolverLimits = LIMITS): Promise<DiffResult> {
  const started = performance.now()
  const work = { questions: 0, reused: 0, classes: 0, ms: 0 }
  const [before, after] = await Promise.all([checkFiles(from, world), checkFiles(to, world)])
  const versions = { from: before, to: after }
  const charter = JSON.stringify(versions.from.charter) !== JSON.stringify(versions.to.charter)
  const result: DiffResult = { differences: [], same: [], undecided: [], work, charter }
  for (const version of ['from', 'to'] as const)
    if (isBroken(versions[version])) return { ...result, broken: { version, findings: versions[version].findings } }
  const sides = sidesOf(versions.from, versions.to)
  const schema = schemaOf(world, versions.from.charter, versions.to.charter)
  const solver = startSolver(limits)
  try {
    const asking = [...new Set(askingOf(sides.map((side) => ({ ...side, id: side.named }))))]
    const { classes, cut } = await requestClasses({ subjects: sides, schema, asking, until: started + limits.totalMs })
    if (cut.length > 0) result.undecided.push({ policy: '*', question: 'anything about these actions: the time was over', actions: cut })
    const evaluate = witnessEvaluator(sides, schema)
    const parts = { solver, namespace: schema.json[''] as Namespace, examples: examplesOf(world) }
    const prover = makeProver({ ...parts, evaluate })
    const found: Found[] = []
    for (const of of classes) {
      const untouched = !sides.some(({ id, changed }) => changed && of.policies.has(id))
      if (untouched) {
        result.same.push({ actions: of.actions, basis: 'text' })
        continue
      }
      const open = result.undecided.length
      const differences = await differencesIn(of, sides, prover, result.undecided)
      if (differences.length === 0 && result.undecided.length === open) result.same.push({ actions: of.actions, basis: 'proven' })
      found.push(...differences)
    }
    result.differences = merge(found, sides, schema)
    result.work = { ...prover.work, classes: classes.length, ms: performance.now() - started }
    return result
  } finally {
    await solver.close()
  }
}
