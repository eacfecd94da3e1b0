/** Reads policy texts one by one: what each says, and what of that is wrong before any schema is looked at. */
import type { PolicyJson } from '@ephor/cedar'
import { checkAnnotations, checkEntities } from './check-annotations.ts'
import type { Remark } from './check-annotations.ts'
import { compilePolicy } from './compile-policy.ts'
import type { CompiledPolicy } from './compile-policy.ts'
import { errorAt, finding, fromCedar, NOWHERE } from './findings.ts'
import type { Place } from './findings.ts'
import { namedEntities } from './named-entities.ts'
import { positionAt, scanPolicies } from './scan-policies.ts'
import type { Piece } from './scan-policies.ts'
import type { Cedar } from './start-cedar.ts'
import type { Finding, PolicyFiles, PolicyWorld } from './types.ts'

const MAX_POLICIES = 5000
const TIMEOUT_MS = 30_000

type Source = { file: string; text: string; piece: Piece; position: number }

export type ReadPolicy = { policy: CompiledPolicy; /** The policy's own text. */ text: string; place: Place }
export type ReadPolicies = { findings: Finding[]; policies: ReadonlyMap<string, ReadPolicy> }

async function readFile(cedar: Cedar, file: string, text: string): Promise<{ findings: Finding[]; sources: Source[] }> {
  const place = { file, text, offset: 0 }
  const scanned = scanPolicies(text)
  if ('problem' in scanned) {
    const { message, offset } = scanned.problem
    return { findings: [errorAt({ ...place, offset }, 'POLICY_TOO_DEEP', message)], sources: [] }
  }
  const { errors, policies, templates } = await cedar.ask('syntax', text, TIMEOUT_MS)
  const findings = errors.map((error) => fromCedar(place, error, 'error', 'POLICY_SYNTAX'))
  if (templates > 0) {
    const message = 'the file holds a template (?principal or ?resource); write one policy for each case'
    findings.push(errorAt(place, 'POLICY_TEMPLATE', message))
  } else if (errors.length === 0 && policies !== scanned.pieces.length) {
    findings.push(errorAt(place, 'POLICY_SYNTAX', 'the policies of this file cannot be told apart: use plain line ends'))
  }
  const sources = scanned.pieces.map((piece, i) => ({ file, text, piece, position: i + 1 }))
  return { findings, sources: findings.length > 0 ? [] : sources }
}

/** Where the words that a remark is about stand in the policy; as near as they can be found. */
function placeOf({ file, text, piece }: Source, about: readonly string[] = []): Place {
  const at = about.reduce((from, word) => Math.max(from, piece.text.indexOf(word, from)), 0)
  return { file, text, offset: piece.start + at }
}

function remarksOn(json: PolicyJson, world: PolicyWorld): Remark[] {
  return [...checkAnnotations(json), ...checkEntities(namedEntities(json), world)]
}

async function readEach(cedar: Cedar, sources: readonly Source[], world: PolicyWorld): Promise<ReadPolicies> {
  const findings: Finding[] = []
  const policies = new Map<string, ReadPolicy>()
  const jsons = await cedar.ask(
    'toJson',
    sources.map(({ piece }) => piece.text),
    TIMEOUT_MS,
  )
  for (const [i, source] of sources.entries()) {
    const { file, text, piece, position } = source
    const place = placeOf(source)
    const json = jsons[i]
    if (!json || 'errors' in json) {
      findings.push(errorAt(place, 'POLICY_SYNTAX', 'this policy cannot be read by itself'))
      continue
    }
    const id = `${file.slice(0, -'.cedar'.length)}/${json.annotations?.id ?? position}`
    const policy = compilePolicy({ id, file, ...positionAt(text, piece.start) }, json)
    for (const remark of remarksOn(json, world)) findings.push(finding(placeOf(source, remark.about), { ...remark, policy: id }))
    if (policies.has(id)) findings.push(errorAt(place, 'ID_TAKEN', `another policy is called ${id}`))
    policies.set(id, { policy, text: piece.text, place })
  }
  return { findings, policies }
}

/** @param files of which `*.cedar` are read */
export async function readPolicies(cedar: Cedar, files: PolicyFiles, world: PolicyWorld): Promise<ReadPolicies> {
  const findings: Finding[] = []
  const sources: Source[] = []
  for (const file of Object.keys(files).toSorted()) {
    if (!file.endsWith('.cedar')) continue
    const read = await readFile(cedar, file, files[file] ?? '')
    findings.push(...read.findings)
    sources.push(...read.sources)
  }
  const none = sources.length === 0 && findings.length === 0
  if (none) findings.push(errorAt(NOWHERE, 'POLICY_NONE', 'the folder holds no policy'))
  const many = sources.length > MAX_POLICIES
  if (many) findings.push(errorAt(NOWHERE, 'POLICY_TOO_LARGE', `more than ${MAX_POLICIES} policies`))
  if (none || many) return { findings, policies: new Map() }
  const { findings: more, policies } = await readEach(cedar, sources, world)
  return { findings: [...findings, ...more], policies }
}
