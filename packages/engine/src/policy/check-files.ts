/** Reads policy texts into a bundle, or says everything that is wrong with them and where. */
import type { DetailedError, PolicyJson, ValidationError } from '@cedar-policy/cedar-wasm/nodejs'
import { checkAnnotations, checkEntities } from './check-annotations.ts'
import type { Remark } from './check-annotations.ts'
import { compilePolicy } from './compile-policy.ts'
import type { CompiledPolicy } from './compile-policy.ts'
import { digestOf } from './make-schema.ts'
import type { WorldSchema } from './make-schema.ts'
import { nearest } from './nearest.ts'
import { offsetOfByte, positionAt, scanPolicies } from './scan-policies.ts'
import type { Piece } from './scan-policies.ts'
import { uidOf } from './scope.ts'
import { startCedar } from './start-cedar.ts'
import type { Cedar } from './start-cedar.ts'
import type { Finding, PolicyFiles, PolicyWorld } from './types.ts'

export type Checked = {
  version: string
  findings: Finding[]
  /** Every text was read to the end. Otherwise policies are missing here, and what they forbid would be too. */
  readable: boolean
  /** Every policy that could be read, by id. */
  policies: ReadonlyMap<string, CompiledPolicy>
}

const MAX_FILES = 200
const MAX_FILE = 256 * 1024
const MAX_TOTAL = 1024 * 1024
const MAX_POLICIES = 5000
const TIMEOUT_MS = 30_000
const MAX_FINDINGS = 200
const UNREADABLE = new Set(['POLICY_SYNTAX', 'POLICY_TOO_DEEP', 'POLICY_TOO_LARGE', 'POLICY_TEMPLATE', 'POLICY_NONE', 'ID_TAKEN'])

/** `sha256:…` of texts, whatever the order of their names. */
export function versionOf(files: PolicyFiles): string {
  return digestOf(Object.entries(files).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

type Place = { file: string; text: string; offset: number }
type Source = { file: string; text: string; piece: Piece }

function finding({ file, text, offset }: Place, remark: Omit<Remark, 'about'>): Finding {
  const { code, severity, message, suggestion } = remark
  return { code, severity, file, ...positionAt(text, offset), message, ...(suggestion === undefined ? {} : { suggestion }) }
}

const CODES: [RegExp, string][] = [
  [/^attribute .* not found/, 'ATTRIBUTE_UNKNOWN'],
  [/unrecognized action/, 'ACTION_UNKNOWN'],
  [/unrecognized entity type/, 'TYPE_UNKNOWN'],
  [/unable to guarantee safety of access to optional/, 'ATTRIBUTE_OPTIONAL'],
  [/policy is impossible|unable to find an applicable action/, 'POLICY_IMPOSSIBLE'],
]

function fromCedar(base: Place, error: DetailedError, severity: 'error' | 'warning', fallback: string): Finding {
  const message = error.message.replace(/^for policy `[^`]*`, /, '').replace(/^failed to parse policies from string: /, '')
  const label = error.sourceLocations?.[0]
  const offset = base.offset + offsetOfByte(base.text.slice(base.offset), label?.start ?? 0)
  const code = CODES.find(([pattern]) => pattern.test(message))?.[1] ?? fallback
  const hint = error.help ?? label?.label ?? undefined
  return finding({ ...base, offset }, { code, severity, message, ...(hint === undefined ? {} : { suggestion: hint }) })
}

/** Cedar's own advice takes any name that is near enough; a server's many tools deserve the nearest. */
function withNearestAction(found: Finding, schema: WorldSchema): Finding {
  const quoted = /Action::("(?:[^"\\]|\\.)*")/.exec(found.message)?.[1]
  const near = quoted === undefined ? undefined : nearest(quoted.slice(1, -1), Object.keys(schema.json['']?.actions ?? {}))
  return near === undefined ? found : { ...found, suggestion: `did you mean Action::"${near}"?` }
}

/** Cedar says the same once for every action that a policy covers: once is enough. */
function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Map(findings.toReversed().map((one) => [`${one.file}:${one.line}:${one.column}:${one.code}`, one]))
  const ordered = [...seen.values()].toSorted((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column,
  )
  const errors = ordered.filter(({ severity }) => severity === 'error')
  return [...errors, ...ordered.filter(({ severity }) => severity === 'warning')].slice(0, MAX_FINDINGS)
}

function checkSizes(files: PolicyFiles): Finding[] {
  const names = Object.keys(files)
  const wrong = (file: string, code: string, message: string) =>
    finding({ file, text: '', offset: 0 }, { code, severity: 'error', message })
  if (names.length > MAX_FILES) return [wrong('', 'POLICY_TOO_LARGE', `${names.length} files; the limit is ${MAX_FILES}`)]
  const found: Finding[] = []
  let total = 0
  for (const [file, text] of Object.entries(files)) {
    const size = Buffer.byteLength(text)
    total += size
    if (size > MAX_FILE) found.push(wrong(file, 'POLICY_TOO_LARGE', `${size} bytes; the limit of a file is ${MAX_FILE}`))
    if (!/^[A-Za-z0-9][\w.-]{0,99}\.cedar$/.test(file))
      found.push(wrong(file, 'FILE_NAME', 'name the file with letters, digits, . _ - and .cedar'))
    if (!text.isWellFormed()) found.push(wrong(file, 'POLICY_SYNTAX', 'the text is not valid Unicode'))
  }
  if (total > MAX_TOTAL) found.push(wrong('', 'POLICY_TOO_LARGE', `${total} bytes in all; the limit is ${MAX_TOTAL}`))
  return found
}

async function readFile(cedar: Cedar, file: string, text: string): Promise<{ findings: Finding[]; sources: Source[] }> {
  const base = { file, text, offset: 0 }
  const scanned = scanPolicies(text)
  if ('problem' in scanned) {
    const { message, offset } = scanned.problem
    return { findings: [finding({ ...base, offset }, { code: 'POLICY_TOO_DEEP', severity: 'error', message })], sources: [] }
  }
  const { errors, policies, templates } = await cedar.ask('syntax', text, TIMEOUT_MS)
  const findings = errors.map((error) => fromCedar(base, error, 'error', 'POLICY_SYNTAX'))
  if (templates > 0) {
    const message = 'the file holds a template (?principal or ?resource); write one policy for each case'
    findings.push(finding(base, { code: 'POLICY_TEMPLATE', severity: 'error', message }))
  } else if (errors.length === 0 && policies !== scanned.pieces.length) {
    const message = 'the policies of this file cannot be told apart: use plain line ends'
    findings.push(finding(base, { code: 'POLICY_SYNTAX', severity: 'error', message }))
  }
  return { findings, sources: findings.length > 0 ? [] : scanned.pieces.map((piece) => ({ file, text, piece })) }
}

function same(json: PolicyJson, asPermit: PolicyJson | { errors: DetailedError[] }): boolean {
  return JSON.stringify({ ...json, effect: 'permit' }) === JSON.stringify(asPermit)
}

/** Where the word that a remark is about stands in the policy; its start otherwise. */
function placeOf({ file, text, piece }: Source, about = ''): Place {
  return { file, text, offset: piece.start + Math.max(0, about === '' ? 0 : piece.text.indexOf(about)) }
}

async function compile(cedar: Cedar, sources: Source[], world: PolicyWorld) {
  const findings: Finding[] = []
  const compiled = new Map<string, { policy: CompiledPolicy; source: Source }>()
  const positions = new Map<string, number>()
  const texts = sources.map(({ piece }) => piece.text)
  const jsons = await cedar.ask('toJson', texts, TIMEOUT_MS)
  for (const [i, source] of sources.entries()) {
    const { file, piece } = source
    const position = (positions.get(file) ?? 0) + 1
    positions.set(file, position)
    const json = jsons[i]
    if (!json || 'errors' in json || !piece.text.startsWith(json.effect, piece.effectAt)) {
      const remark = { code: 'POLICY_SYNTAX', severity: 'error', message: 'this policy cannot be read by itself' } as const
      findings.push(finding(placeOf(source), remark))
      continue
    }
    const id = `${file.slice(0, -'.cedar'.length)}/${json.annotations?.id ?? position}`
    const place = { id, file, line: positionAt(source.text, piece.start).line }
    const policy = compilePolicy(place, piece.text, piece.effectAt, json)
    const named = [json.principal, json.resource].flatMap((scope) => ('entity' in scope ? [uidOf(scope.entity)] : []))
    for (const remark of [...checkAnnotations(json), ...checkEntities([...named, ...policy.entities], world)])
      findings.push(finding(placeOf(source, remark.about), remark))
    if (compiled.has(id)) {
      const message = `another policy is called ${id}`
      findings.push(finding(placeOf(source), { code: 'ID_TAKEN', severity: 'error', message }))
    }
    compiled.set(id, { policy, source })
  }
  const flipped = await cedar.ask(
    'toJson',
    [...compiled.values()].map(({ policy }) => policy.asPermit),
    TIMEOUT_MS,
  )
  for (const [i, { policy, source }] of [...compiled.values()].entries()) {
    const json = jsons[sources.indexOf(source)]
    const other = flipped[i]
    if (json && other && !('errors' in json) && same(json, other)) continue
    findings.push(
      finding(placeOf(source), { code: 'POLICY_SYNTAX', severity: 'error', message: `the effect of ${policy.id} cannot be told` }),
    )
  }
  return { findings, compiled }
}

async function readAll(cedar: Cedar, files: PolicyFiles, schema: WorldSchema, world: PolicyWorld) {
  const findings: Finding[] = []
  const sources: Source[] = []
  for (const file of Object.keys(files).toSorted()) {
    const read = await readFile(cedar, file, files[file] ?? '')
    findings.push(...read.findings)
    sources.push(...read.sources)
  }
  if (sources.length > MAX_POLICIES || (sources.length === 0 && findings.length === 0)) {
    const [code, message] =
      sources.length === 0 ? ['POLICY_NONE', 'the folder holds no policy'] : ['POLICY_TOO_LARGE', `more than ${MAX_POLICIES} policies`]
    findings.push(finding({ file: '', text: '', offset: 0 }, { code, severity: 'error', message }))
    return { findings, policies: new Map<string, CompiledPolicy>() }
  }
  const { findings: more, compiled } = await compile(cedar, sources, world)
  findings.push(...more)
  const policies = Object.fromEntries([...compiled].map(([id, { source }]) => [id, source.piece.text]))
  const { errors, warnings } = await cedar.ask('validate', { schema: schema.json, policies }, TIMEOUT_MS)
  const wrong = new Set(errors.map(({ policyId }) => policyId))
  const locate = ({ policyId, error }: ValidationError, severity: 'error' | 'warning') => {
    const source = compiled.get(policyId)?.source
    const base = source ? placeOf(source) : { file: '', text: '', offset: 0 }
    const found = fromCedar(base, error, severity, severity === 'error' ? 'TYPE_MISMATCH' : 'POLICY_DOUBTFUL')
    findings.push(found.code === 'ACTION_UNKNOWN' ? withNearestAction(found, schema) : found)
  }
  for (const one of errors) locate(one, 'error')
  // That a policy with an error can't apply either is no news.
  for (const one of warnings) if (!wrong.has(one.policyId)) locate(one, 'warning')
  return { findings, policies: new Map([...compiled].map(([id, { policy }]) => [id, policy])) }
}

/** In a thread of its own, which ends with the check: whatever a text does to the engine, no decision sees it. */
export async function checkFiles(files: PolicyFiles, schema: WorldSchema, world: PolicyWorld): Promise<Checked> {
  const version = versionOf(files)
  const oversized = checkSizes(files)
  if (oversized.length > 0) return { version, findings: oversized, readable: false, policies: new Map() }
  const cedar = startCedar()
  try {
    const { findings, policies } = await readAll(cedar, files, schema, world)
    const readable = policies.size > 0 && !findings.some(({ code }) => UNREADABLE.has(code))
    return { version, findings: distinct(findings), readable, policies }
  } catch {
    const message = 'Cedar failed on these policies, or took too long: simplify the last one that was changed'
    const none = { file: '', text: '', offset: 0 }
    const findings = [finding(none, { code: 'POLICY_UNREADABLE', severity: 'error', message })]
    return { version, findings, readable: false, policies: new Map() }
  } finally {
    cedar.close()
  }
}
