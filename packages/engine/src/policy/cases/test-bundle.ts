/** Runs everything that a bundle says of itself: the cases and properties of all its `*.test.yaml`. */
import { LIMITS } from '../analyze/analyze.ts'
import { CHARTER_FILE } from '../charter/read-charter.ts'
import type { Finding, PolicyFiles } from '../types.ts'
import type { Confine } from './ask-case.ts'
import { recordCoverage } from './coverage.ts'
import type { Coverage, Recorder } from './coverage.ts'
import { decideProperties } from './decide-properties.ts'
import { readCases } from './read-cases.ts'
import type { CasesOfFile } from './read-cases.ts'
import { openForCases, runCases } from './run-cases.ts'
import type { CaseResult } from './run-cases.ts'

export type BundleTests = {
  results: CaseResult[]
  /** What is wrong with the files of cases: then none of their cases ran, and the tests have failed. */
  findings: Finding[]
  coverage: Coverage
}

/** Of all files together; the time for proofs is shared as well. */
const MAX_CASES = 20_000

const tooMany = (file: string, count: number): Finding => ({
  code: 'CASES_TOO_LARGE',
  severity: 'error',
  file,
  line: 1,
  column: 1,
  message: `${count} cases in all files; the limit is ${MAX_CASES}`,
})

const NOTHING: Coverage = { share: 0, policies: [], uncovered: [] }

/** Checking texts takes a while: files that share a world share that too. */
function openingEachOnce(files: PolicyFiles) {
  const opened = new Map<string, ReturnType<typeof openForCases>>()
  return (cases: CasesOfFile) => {
    const key = JSON.stringify(cases.world)
    const opening = opened.get(key) ?? openForCases(files, cases)
    opened.set(key, opening)
    return opening
  }
}

/** @throws Fault POLICY_INVALID when the policies could not become active in the world of a file */
export async function testBundle(files: PolicyFiles, confine: Confine): Promise<BundleTests> {
  const findings: Finding[] = []
  const read: CasesOfFile[] = []
  for (const name of Object.keys(files).toSorted()) {
    if (!name.endsWith('.test.yaml')) continue
    const cases = readCases(files, name)
    if ('findings' in cases) findings.push(...cases.findings)
    else read.push(cases)
  }
  const count = read.reduce((sum, { cases, properties }) => sum + cases.length + properties.length, 0)
  if (count > MAX_CASES) findings.push(tooMany(read[0]?.file ?? '', count))
  if (findings.length > 0) return { results: [], findings, coverage: NOTHING }
  const end = performance.now() + LIMITS.totalMs
  const openOnce = openingEachOnce(files)
  const results: CaseResult[] = []
  let recorder: Recorder | undefined
  let wanted: number | undefined
  for (const cases of read) {
    const { bundle, world } = await openOnce(cases)
    recorder ??= recordCoverage(bundle.policies)
    wanted = bundle.charter.tests.coverage
    recorder.addWorld(bundle, world)
    results.push(...(await runCases(cases, { bundle, world, confine, recorder })))
    results.push(...(await decideProperties(cases, { bundle, world }, { ...LIMITS, totalMs: Math.max(0, end - performance.now()) })))
  }
  const coverage = recorder?.coverage() ?? NOTHING
  if (wanted !== undefined) results.push(coverageResult(coverage, wanted))
  return { results, findings, coverage }
}

const percent = (share: number) => `${Math.floor(share * 1000) / 10}%`

/** What the charter wants of the cases together is a case of its own. */
function coverageResult({ share }: Coverage, wanted: number): CaseResult {
  const told = { name: 'coverage', expected: `at least ${percent(wanted)}`, got: percent(share) }
  return { file: CHARTER_FILE, line: 1, column: 1, ...told, ok: share >= wanted, reasons: [], ms: 0 }
}

/** More would only swell what is kept of a proposal. */
const MAX_FAILED = 200

export type TestReport = { cases: number; failed: { file: string; name: string; detail: string }[] }

/** In short, for those who decide whether a version may be published: every reason against it is a failure. */
export async function reportTests(files: PolicyFiles, confine: Confine): Promise<TestReport> {
  const { results, findings } = await testBundle(files, confine)
  const wrong = findings.map(({ file, line, column, code, message }) => ({
    file: `${file}:${line}:${column}`,
    name: code,
    detail: message,
  }))
  const failed = results
    .filter(({ ok }) => !ok)
    .map(({ file, line, column, name, expected, got }) => ({
      file: `${file}:${line}:${column}`,
      name,
      detail: `expected ${expected}, got ${got}`,
    }))
  return { cases: results.length, failed: [...wrong, ...failed].slice(0, MAX_FAILED) }
}
