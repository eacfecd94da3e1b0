/** Runs the cases of a file: the same checks and decisions as in a running Ephor, in the world that the file describes. */
import { Fault } from '@ephor/contract'
import { openBundle } from '../open-bundle.ts'
import type { OpenBundle } from '../open-bundle.ts'
import type { Decision, PolicyFiles, PolicyRequest, PolicyWorld } from '../types.ts'
import { askCase, policyWorld } from './ask-case.ts'
import type { AskedCase, Confine } from './ask-case.ts'
import type { TestCase } from './case-file.ts'
import type { Recorder } from './coverage.ts'
import { isCalled, judgeCase } from './judge-case.ts'
import type { Judgement } from './judge-case.ts'
import type { CasesOfFile } from './read-cases.ts'

export type CaseResult = Judgement & {
  file: string
  line: number
  column: number
  name: string
  reasons: readonly { policy: string; text: string }[]
  ms: number
}

export type Ground = { bundle: OpenBundle; world: PolicyWorld; confine: Confine; recorder: Recorder }

/** Whose votes a case gives, and to which asks. */
function votesOf({ approved }: TestCase, { asks }: Extract<Decision, { effect: 'hold' }>) {
  const asking = asks.map(({ policy }) => policy)
  const by = typeof approved === 'object' ? approved.by : Number(approved)
  const names = typeof approved === 'object' ? approved.policies : asking
  const people = Array.from({ length: by }, (_, i) => `per_case${i + 1}`)
  return { id: 'apr_case', by: people, policies: asking.filter((id) => names.some((name) => isCalled(id, name))) }
}

/** As the broker does after a vote: the same question again, with the approval. */
function decide(bundle: OpenBundle, request: PolicyRequest, test: TestCase, recorder: Recorder): Decision {
  const first = bundle.explain(request)
  recorder.add(first.policies)
  if (first.decision.effect !== 'hold' || test.approved === false) return first.decision
  const facts = { ...request.facts, approvals: [votesOf(test, first.decision)] }
  const second = bundle.explain({ ...request, facts })
  recorder.add(second.policies)
  return second.decision
}

/** With the agents that only single cases know: one world for all of them, since a world takes time and room. */
function withExtras({ bundle, world }: Ground, asked: readonly (AskedCase | string)[]): OpenBundle {
  const extras = new Map(asked.flatMap((one) => (typeof one === 'object' && one.extra ? [[one.extra.id, one.extra] as const] : [])))
  return extras.size === 0 ? bundle : bundle.under({ ...world, agents: [...world.agents, ...extras.values()] })
}

const BREATH = 500
const pauseForOthers = () => new Promise((resolve) => setImmediate(resolve))

export async function runCases({ file, at, world, cases }: CasesOfFile, ground: Ground): Promise<CaseResult[]> {
  const { confine, recorder } = ground
  const questions = cases.map((test) => askCase(world, test, { at, confine }))
  const bundle = withExtras(ground, questions)
  const results: CaseResult[] = []
  for (const [i, test] of cases.entries()) {
    if (i % BREATH === BREATH - 1) await pauseForOthers()
    const started = performance.now()
    const { line, column, name } = test
    const asked = questions[i] ?? ''
    const place = { file, line, column, name }
    if (typeof asked === 'string') {
      const got = `the case names ${asked}, which its world does not have`
      results.push({ ...place, ok: false, expected: test.expect, got, reasons: [], ms: 0 })
      continue
    }
    const decision = decide(bundle, asked.request, test, recorder)
    results.push({ ...place, ...judgeCase(test, decision), reasons: decision.reasons, ms: performance.now() - started })
  }
  return results
}

/** @throws Fault POLICY_INVALID when the policies could not become active in the world of the file */
export async function openForCases(files: PolicyFiles, { file, world }: CasesOfFile): Promise<{ bundle: OpenBundle; world: PolicyWorld }> {
  const described = policyWorld(world)
  const bundle = await openBundle(files, described)
  const error = bundle.findings.find(({ severity }) => severity === 'error')
  if (!error) return { bundle, world: described }
  const where = `${error.file}:${error.line}:${error.column}`
  throw new Fault('POLICY_INVALID', `${where}: ${error.message} (in the world of ${file})`, { where })
}
