/** `ephor policy test`: whether the policies of a folder decide as its `*.test.yaml` say. Needs no server. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import { testBundle } from '@ephor/engine/policy'
import type { BundleTests, CaseResult, Coverage } from '@ephor/engine/policy'
import { confine } from '@ephor/engine/registry'
import { settingsOf } from '../connection.ts'
import type { CommonOptions } from '../connection.ts'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, withCommon } from '../verb.ts'
import { junitOf } from './junit.ts'
import { placeOf, policyFolder } from './policy-source.ts'
import { sarifOf } from './sarif.ts'
import type { SarifFinding } from './sarif.ts'

type Options = CommonOptions & { coverage?: boolean; junit?: string; sarif?: boolean }

/** What is left to be seen, a sentence each. */
function gaps({ policies, uncovered }: Coverage): SarifFinding[] {
  const gap = (file: string, at: number, message: string) =>
    ({ code: 'NOT_COVERED', severity: 'warning', file, line: at, column: 1, message }) as const
  const found = policies.flatMap(({ policy, file, line: at, satisfied, conditions }) => [
    ...(satisfied === 0 ? [gap(file, at, `${policy}: no case satisfies it`)] : []),
    ...conditions.flatMap(({ kind, text, held, failed }) => [
      ...(held ? [] : [gap(file, at, `${policy}: in no case does this hold: ${kind} ${text}`)]),
      ...(failed ? [] : [gap(file, at, `${policy}: in no case does this not hold: ${kind} ${text}`)]),
    ]),
  ])
  return [...found, ...uncovered.map((tool) => gap('', 1, `${tool}: no policy speaks of it; it is refused because nothing permits it`))]
}

const failureOf = ({ file, line: at, column, name, expected, got }: CaseResult): SarifFinding => ({
  code: 'CASE_FAILED',
  severity: 'error',
  file,
  line: at,
  column,
  message: `${name}: expected ${expected}, got ${got}`,
})

function show(io: Io, folder: string, { results, findings, coverage }: BundleTests, withCoverage: boolean): void {
  for (const { code, file, line: at, column, message, suggestion } of findings)
    line(io, `${join(folder, file)}:${at}:${column}: error ${code}: ${plain(message)}${suggestion ? `; ${plain(suggestion)}` : ''}`)
  for (const { ok, file, line: at, column, name, expected, got } of results) {
    const where = plain(`${join(folder, file)}:${at}:${column}`)
    line(io, ok ? `ok    ${plain(name)}` : `FAIL  ${plain(name)} (${where}): expected ${plain(expected)}, got ${plain(got)}`)
  }
  line(io, `${results.filter(({ ok }) => ok).length} of ${results.length} cases as expected.`)
  if (!withCoverage) return
  for (const { file, line: at, message } of gaps(coverage))
    line(io, file === '' ? plain(message) : `${join(folder, file)}:${at}: ${plain(message)}`)
  line(io, `Coverage of policies and their conditions: ${Math.floor(coverage.share * 1000) / 10}%.`)
}

function write(io: Io, file: string, text: string): void {
  try {
    writeFileSync(resolve(io.folder, file), text)
  } catch (error) {
    throw new Fault('REQUEST_INVALID', `it can't be written: ${(error as Error).message}`, { where: file })
  }
}

async function test(io: Io, options: Options, given: string | undefined): Promise<void> {
  const { files, folder } = policyFolder(io, given ?? settingsOf(io, options).policyFolder)
  if (!Object.keys(files).some((name) => name.endsWith('.test.yaml')))
    throw new Fault('NOT_FOUND', `${folder} has no *.test.yaml; ephor policy init writes one`, { where: folder })
  const tests = await testBundle(files, confine)
  const { results, findings, coverage } = tests
  // Nothing was tried: that is no success.
  const ok = findings.length === 0 && results.length > 0 && results.every((result) => result.ok)
  if (options.junit !== undefined) {
    const mistakes = findings.map((one) => ({ ...one, name: one.code, ok: false, expected: 'a file of cases', got: one.message, ms: 0 }))
    write(io, options.junit, junitOf([...mistakes, ...results]))
  }
  if (options.sarif) {
    const failed = results.filter((result) => !result.ok).map(failureOf)
    json(io, sarifOf([...findings, ...failed, ...(options.coverage ? gaps(coverage) : [])], placeOf(io, folder)))
  } else if (options.json) json(io, { ok, results, findings, ...(options.coverage ? { coverage } : {}) })
  else show(io, folder, tests, options.coverage === true)
  if (!ok) throw new ExitCode(EXIT.failed)
}

export function addTest(policy: Command, io: Io): void {
  const verb = withCommon(
    policy
      .command('test')
      .argument('[folder]', 'the policy folder unless said')
      .description('run the cases and properties in *.test.yaml; needs no server')
      .option('--coverage', 'also say which policies, conditions and tools no case has reached')
      .option('--junit <file>', 'also write JUnit XML for build servers')
      .option('--sarif', 'print SARIF 2.1.0 for code scanners'),
  )
  verb.action((folder: string | undefined, options: Options) => test(io, options, folder))
  examples(verb, 'policy test', 'policy test ./policies --coverage', 'policy test ./policies --json --junit policies.xml')
}
