/** Analyses the policies of a bundle: what can never apply, what stands in the way of what, what nobody can approve. */
import { checkFiles } from '../check-files.ts'
import type { Checked } from '../check-files.ts'
import type { Finding, PolicyFiles, PolicyWorld } from '../types.ts'
import { CHARTER_ASKS } from '../charter/restrict.ts'
import { checkAsks } from './check-asks.ts'
import { checkAgainstCharter } from './check-charter.ts'
import { checkPolicies } from './check-policies.ts'
import type { Report } from './check-policies.ts'
import { witnessEvaluator } from './evaluate-witness.ts'
import type { Namespace } from './make-encoder.ts'
import { makeProver } from './prove.ts'
import { requestClasses } from './request-classes.ts'
import { startSolver } from './start-solver.ts'
import type { Solver, SolverLimits } from './start-solver.ts'
import type { Analysis, AnalysisFinding, Subject } from './types.ts'

export const LIMITS: SolverLimits = { questionMs: 8000, totalMs: 30_000 }

const MAX_UNDECIDED = 200
const ORDER = { error: 0, warning: 1, note: 2 }

/** Names for requests in which any agent or tool server will do: some that exist. */
export function examplesOf(world: PolicyWorld) {
  const server = world.servers[0]?.name ?? 'server'
  const agent = world.agents[0]?.id ?? 'agt_example'
  return { principal: (type: string) => (type === 'Agent' ? agent : type === 'ToolServer' ? server : 'example'), resource: server }
}

export const isBroken = ({ readable, findings }: Checked): boolean => !readable || findings.some(({ severity }) => severity === 'error')

/** What checking says already is not said twice. */
const fromCheck = (findings: readonly Finding[]): AnalysisFinding[] => findings.map((one) => ({ ...one, basis: 'read' }))

export type Examination = { files: PolicyFiles; world: PolicyWorld; solver: Solver; until: number }

/** @returns only what checking finds when the policies have errors: what can't become active is not reasoned about */
export async function examine(checked: Checked, { files, world, solver, until }: Examination): Promise<Analysis> {
  const started = performance.now()
  const findings = fromCheck(checked.findings)
  const undecided: Analysis['undecided'] = []
  const work = () => ({ questions: 0, reused: 0, classes: 0, ms: performance.now() - started })
  if (isBroken(checked)) return { findings, undecided, work: work() }
  const subjects = [...checked.policies.values()]
  const { schema } = checked
  const report: Report = {
    add({ id, file, line, column }, finding) {
      findings.push({ file, line, column, policy: id, ...finding })
    },
    undecided(entry) {
      if (undecided.length < MAX_UNDECIDED) undecided.push(entry)
      else undecided[MAX_UNDECIDED] = { policy: '*', question: 'more than can be listed: analyse fewer policies at once', actions: [] }
    },
  }
  const asking = askingOf(subjects)
  for (const { subject, said } of checkAsks(subjects, asking, world.people))
    report.add(subject, { code: 'APPROVAL_IMPOSSIBLE', basis: 'read', ...said })
  const { classes, cut } = await requestClasses({ subjects, schema, asking, until })
  if (cut.length > 0) undecided.push({ policy: '*', question: 'anything about these actions: the time was over', actions: cut })
  const parts = { solver, namespace: schema.json[''] as Namespace, examples: examplesOf(world) }
  const prover = makeProver({ ...parts, evaluate: witnessEvaluator(subjects, schema) })
  const ground = { subjects, classes, prover }
  await checkPolicies(ground, report)
  findings.push(...(await checkAgainstCharter(ground, checked.charter, files, report)))
  return { findings: sorted(findings), undecided, work: { ...work(), ...prover.work, classes: classes.length } }
}

export async function analyze(files: PolicyFiles, world: PolicyWorld, limits: SolverLimits = LIMITS): Promise<Analysis> {
  const solver = startSolver(limits)
  try {
    return await examine(await checkFiles(files, world), { files, world, solver, until: performance.now() + limits.totalMs })
  } finally {
    await solver.close()
  }
}

/** Everything whose ask people can answer. */
export const askingOf = (subjects: readonly Subject[]): string[] => [
  ...subjects.filter(({ ask }) => ask).map(({ id }) => id),
  ...CHARTER_ASKS,
]

const sorted = (findings: readonly AnalysisFinding[]) =>
  findings.toSorted(
    (a, b) =>
      ORDER[a.severity] - ORDER[b.severity] || (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column),
  )
