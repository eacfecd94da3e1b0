/** Reads a `*.test.yaml`, or says everything that is wrong with it and where. */
import { LineCounter, parseDocument } from 'yaml'
import type { Document } from 'yaml'
import type { z } from 'zod'
import { locate } from '../charter/read-charter.ts'
import { nearest } from '../nearest.ts'
import type { Finding, PolicyFiles } from '../types.ts'
import { CaseFile, isProperty, Property, TableCase, TestCase, TestWorld } from './case-file.ts'

/** Lines and columns count from 1. */
type Placed<T> = T & { line: number; column: number }
export type CasesOfFile = {
  file: string
  /** ms since 1970, for cases that say no time. */
  at: number
  world: TestWorld
  cases: Placed<TestCase>[]
  properties: Placed<Property>[]
}

const MAX_BYTES = 256 * 1024
const MAX_CASES = 5000
const MAX_FINDINGS = 50
const WORDS = [
  ...Object.keys({ ...CaseFile.shape, ...TestCase.shape, ...Property.shape, ...TestWorld.shape }),
  'each',
  ...Object.keys({ ...TestWorld.shape.agents.element.shape, ...TestWorld.shape.tools.unwrap().element.shape }),
]

type Path = readonly (string | number)[]
type Text = { file: string; document: Document; lines: LineCounter }

const mistake = (file: string, code: string, message: string, at = { line: 1, column: 1 }, suggestion?: string): Finding => ({
  code,
  severity: 'error',
  file,
  ...at,
  message,
  ...(suggestion === undefined ? {} : { suggestion }),
})

/** @param under where in the file the value stands that was parsed */
function fromIssue({ file, document, lines }: Text, issue: z.core.$ZodIssue, under: Path): Finding[] {
  const path = [...under, ...issue.path.filter((part) => typeof part !== 'symbol')]
  const where = path.length === 0 ? '' : `${path.join('.')}: `
  if (issue.code !== 'unrecognized_keys') return [mistake(file, 'CASES_INVALID', `${where}${issue.message}`, locate(document, lines, path))]
  return issue.keys.map((key) => {
    const near = nearest(key, WORDS)
    const message = `${where}there is no ${JSON.stringify(key.slice(0, 100))} here`
    return mistake(
      file,
      'CASES_UNKNOWN',
      message,
      locate(document, lines, path, key),
      near === undefined ? undefined : `did you mean ${near}?`,
    )
  })
}

/** Untrusted: no aliases, since a few of them could stand for gigabytes, no duplicate keys, at most 256 KiB. */
function parse(file: string, text: string): { text: Text; value: unknown } | { findings: Finding[] } {
  if (Buffer.byteLength(text) > MAX_BYTES) return { findings: [mistake(file, 'CASES_TOO_LARGE', `larger than ${MAX_BYTES} bytes`)] }
  const lines = new LineCounter()
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
    const findings = document.errors.slice(0, MAX_FINDINGS).map(({ message, pos: [start] }) => {
      const { line, col } = lines.linePos(start)
      return mistake(file, 'CASES_SYNTAX', message, { line, column: col })
    })
    if (findings.length > 0) return { findings }
    return { text: { file, document, lines }, value: document.toJS({ maxAliasCount: 0 }) }
  } catch (error) {
    const message = error instanceof RangeError ? 'it is nested too deeply' : 'aliases (*name) are not taken: write the value out'
    return { findings: [mistake(file, 'CASES_SYNTAX', message)] }
  }
}

/** A row's values in the name, so that a case that fails can be told from the others. */
function namedBy(name: string, row: Record<string, unknown>, index: number): string {
  const { name: own, ...values } = row
  return `${name} [${typeof own === 'string' ? own : `${index + 1}: ${JSON.stringify(values).slice(0, 120)}`}]`.slice(0, 200)
}

type Raw = { value: unknown; path: Path }

const rowsOf = (value: unknown): number => {
  const each = typeof value === 'object' && value !== null && Object.hasOwn(value, 'each') ? (value as { each: unknown }).each : undefined
  return Array.isArray(each) ? each.length : 1
}

/** Each row of a table is a case of its own. */
function expand(value: unknown, path: Path): Raw[] | z.ZodError {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'each')) return [{ value, path }]
  const table = TableCase.safeParse(value)
  if (!table.success) return table.error
  const { each, ...common } = table.data
  return each.map((row, i) => ({ value: { ...common, ...row, name: namedBy(common.name, row, i) }, path: [...path, 'each', i] }))
}

function readEach(text: Text, values: readonly unknown[]): Pick<CasesOfFile, 'cases' | 'properties'> & { findings: Finding[] } {
  const cases: CasesOfFile['cases'] = []
  const properties: CasesOfFile['properties'] = []
  const findings: Finding[] = []
  // Counted before any is read: reading is what takes time.
  const count = values.reduce<number>((sum, value) => sum + rowsOf(value), 0)
  if (count > MAX_CASES)
    return { cases, properties, findings: [mistake(text.file, 'CASES_TOO_LARGE', `${count} cases; the limit is ${MAX_CASES}`)] }
  const refuse = (error: z.ZodError, path: Path) => findings.push(...error.issues.flatMap((issue) => fromIssue(text, issue, path)))
  for (const [i, value] of values.entries()) {
    const path = ['cases', i]
    if (findings.length >= MAX_FINDINGS) break
    if (isProperty(value)) {
      const read = Property.safeParse(value)
      if (read.success) properties.push({ ...read.data, ...locate(text.document, text.lines, path) })
      else refuse(read.error, path)
      continue
    }
    const raws = expand(value, path)
    if (!Array.isArray(raws)) {
      refuse(raws, path)
      continue
    }
    for (const raw of raws) {
      const read = TestCase.safeParse(raw.value)
      if (read.success) cases.push({ ...read.data, ...locate(text.document, text.lines, raw.path) })
      else refuse(read.error, raw.path)
      if (findings.length >= MAX_FINDINGS) break
    }
  }
  return { cases, properties, findings }
}

/** The world of a file that another one names. */
function worldOf(files: PolicyFiles, named: string, by: Text): TestWorld | { findings: Finding[] } {
  const at = locate(by.document, by.lines, ['world'])
  const refuse = (why: string) => ({ findings: [mistake(by.file, 'CASES_INVALID', `world: ${named} ${why}`, at)] })
  const text = Object.hasOwn(files, named) ? files[named] : undefined
  if (text === undefined) return refuse('does not exist')
  const parsed = parse(named, text)
  if ('findings' in parsed) return parsed
  const world = CaseFile.safeParse(parsed.value).data?.world
  return typeof world === 'object' ? world : refuse('has no world of its own')
}

/** @param files the bundle, whose `file` is read */
export function readCases(files: PolicyFiles, file: string): CasesOfFile | { findings: Finding[] } {
  const parsed = parse(file, files[file] ?? '')
  if ('findings' in parsed) return parsed
  const { text } = parsed
  const read = CaseFile.safeParse(parsed.value ?? {})
  if (!read.success) return { findings: read.error.issues.flatMap((issue) => fromIssue(text, issue, [])).slice(0, MAX_FINDINGS) }
  const { world: said, at } = read.data
  const world = typeof said === 'string' ? worldOf(files, said, text) : said
  if ('findings' in world) return world
  const { cases, properties, findings } = readEach(text, read.data.cases)
  if (findings.length > 0) return { findings: findings.slice(0, MAX_FINDINGS) }
  return { file, at: Date.parse(at), world, cases, properties }
}
