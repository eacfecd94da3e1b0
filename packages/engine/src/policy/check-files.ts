/** Reads a bundle's texts, or says everything that is wrong with them and where. */
import { CedarError, compilePolicies } from '@ephor/cedar'
import type { PolicySet } from '@ephor/cedar'
import { checkCharter } from './charter/check-charter.ts'
import { defaultCharter } from './charter/charter.ts'
import type { Charter } from './charter/charter.ts'
import { CHARTER_FILE, readCharter } from './charter/read-charter.ts'
import type { CompiledPolicy } from './compile-policy.ts'
import { versionOf } from './digest.ts'
import { distinct, errorAt, NOWHERE } from './findings.ts'
import { makeSchema } from './make-schema.ts'
import type { WorldSchema } from './make-schema.ts'
import { nearest } from './nearest.ts'
import { readPolicies } from './read-policies.ts'
import type { ReadPolicies } from './read-policies.ts'
import { startCedar } from './start-cedar.ts'
import type { Finding, PolicyFiles, PolicyWorld } from './types.ts'
import { validatePolicies } from './validate-policies.ts'

export type Checked = {
  version: string
  findings: Finding[]
  /** Every text was read to the end. Otherwise policies are missing here, and what they forbid would be too. */
  readable: boolean
  /** Every policy that could be read, by id. */
  policies: ReadonlyMap<string, CompiledPolicy>
  /** The same, compiled: what is evaluated. */
  set: PolicySet
  charter: Charter
  /** Of the world that they were checked in. */
  schema: WorldSchema
}

const MAX_FILES = 200
const MAX_FILE = 256 * 1024
const MAX_TOTAL = 1024 * 1024
const UNREADABLE = new Set(['POLICY_SYNTAX', 'POLICY_TOO_DEEP', 'POLICY_TOO_LARGE', 'POLICY_TEMPLATE', 'POLICY_NONE', 'ID_TAKEN'])

function checkSizes(files: PolicyFiles): Finding[] {
  const names = Object.keys(files)
  if (names.length > MAX_FILES) return [errorAt(NOWHERE, 'POLICY_TOO_LARGE', `${names.length} files; the limit is ${MAX_FILES}`)]
  const found: Finding[] = []
  let total = 0
  for (const [file, text] of Object.entries(files)) {
    const place = { ...NOWHERE, file }
    const size = Buffer.byteLength(text)
    total += size
    if (size > MAX_FILE) found.push(errorAt(place, 'POLICY_TOO_LARGE', `${size} bytes; the limit of a file is ${MAX_FILE}`))
    if (!isBundleFile(file)) found.push(errorAt(place, 'FILE_NAME', FILE_NAMES))
    if (!text.isWellFormed()) found.push(errorAt(place, 'POLICY_SYNTAX', 'the text is not valid Unicode'))
  }
  if (total > MAX_TOTAL) found.push(errorAt(NOWHERE, 'POLICY_TOO_LARGE', `${total} bytes in all; the limit is ${MAX_TOTAL}`))
  return found
}

const FILE_NAMES = 'name the file with letters, digits, . _ - and .cedar, or .test.yaml for tests; the charter is charter.yaml'

function isBundleFile(name: string): boolean {
  return name === CHARTER_FILE || /^[A-Za-z0-9][\w.-]{0,99}\.(?:cedar|test\.yaml)$/.test(name)
}

/** Cedar's own advice takes any name that is near enough; a server's many tools deserve the nearest. */
function withNearestAction(found: Finding, schema: WorldSchema): Finding {
  const quoted = /Action::("(?:[^"\\]|\\.)*")/.exec(found.message)?.[1]
  const near = quoted === undefined ? undefined : nearest(quoted.slice(1, -1), Object.keys(schema.json['']?.actions ?? {}))
  return near === undefined ? found : { ...found, suggestion: `did you mean Action::"${near}"?` }
}

/** The charter as far as it can be read: its budgets are a part of the schema. */
function charterOf(files: PolicyFiles): Charter {
  const text = files[CHARTER_FILE]
  const read = text === undefined ? undefined : readCharter(text)
  return read && 'charter' in read ? read.charter : defaultCharter
}

/** What Cedar takes and our engine doesn't is a finding, never a policy that is missing from the decisions. */
function compile(policies: ReadPolicies['policies']): { set: PolicySet; findings: Finding[] } {
  try {
    return { set: compilePolicies([...policies].map(([id, { policy }]) => [id, policy.json])), findings: [] }
  } catch (error) {
    if (!(error instanceof CedarError)) throw error
    const place = policies.get(error.policy ?? '')?.place ?? NOWHERE
    return { set: NOTHING, findings: [errorAt(place, error.code === 'POLICY_TOO_DEEP' ? error.code : 'POLICY_TOO_LARGE', error.message)] }
  }
}

const NOTHING = compilePolicies([])

/** In a thread of its own, which ends with the check: whatever a text does to the engine, no decision sees it. */
export async function checkFiles(files: PolicyFiles, world: PolicyWorld): Promise<Checked> {
  const charter = charterOf(files)
  const schema = makeSchema(world, Object.keys(charter.budgets))
  const none: Checked = { version: versionOf(files), findings: [], readable: false, policies: new Map(), set: NOTHING, charter, schema }
  const oversized = checkSizes(files)
  if (oversized.length > 0) return { ...none, findings: oversized }
  const cedar = startCedar()
  try {
    const read = await readPolicies(cedar, files, world)
    const chartered = checkCharter(files, world, Object.keys(schema.json['']?.actions ?? {}))
    const compiled = compile(read.policies)
    const findings = [...read.findings, ...chartered.findings, ...compiled.findings]
    // Where the charter can't be read, the schema lacks its budgets.
    if (read.policies.size > 0 && chartered.readable) {
      const found = await validatePolicies(cedar, read.policies, schema.json)
      findings.push(...found.map((one) => (one.code === 'ACTION_UNKNOWN' ? withNearestAction(one, schema) : one)))
    }
    const readable = chartered.readable && read.policies.size > 0 && !findings.some(({ code }) => UNREADABLE.has(code))
    const policies = new Map([...read.policies].map(([id, { policy }]) => [id, policy]))
    return { ...none, findings: distinct(findings), readable, policies, set: compiled.set }
  } catch {
    const message = 'Cedar failed on these policies, or took too long: simplify the last one that was changed'
    return { ...none, findings: [errorAt(NOWHERE, 'POLICY_UNREADABLE', message)] }
  } finally {
    cedar.close()
  }
}
