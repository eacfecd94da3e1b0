/** Reads an application: the types, the directory and the policies of a system that asks us about access, or all that is wrong with them. */
import { CedarError, compilePolicies, indexSchema, readEntities } from '@ephor/cedar'
import type { EntityData, PolicySet, SchemaIndex, SchemaJson } from '@ephor/cedar'
import { readApplicationSettings, SETTINGS_FILE } from './application-settings.ts'
import type { ApplicationSettings } from './application-settings.ts'
import type { CompiledPolicy } from '../compile-policy.ts'
import { versionOf } from '../digest.ts'
import { distinct, errorAt, fromCedar, NOWHERE } from '../findings.ts'
import { readPolicies } from '../read-policies.ts'
import { startCedar } from '../start-cedar.ts'
import type { Cedar } from '../start-cedar.ts'
import type { Finding, PolicyFiles, PolicyWorld } from '../types.ts'
import { validatePolicies } from '../validate-policies.ts'

const SCHEMA_FILE = 'schema.cedarschema'
const DIRECTORY_FILE = 'entities.json'

const MAX_FILES = 200
const MAX_TOTAL = 8 * 1024 * 1024
const TIMEOUT_MS = 30_000
/** What policies of an application name is its own: nothing of the registry is checked. */
const NO_WORLD: PolicyWorld = { agents: [], servers: [], tools: [] }

/** An application that can decide. */
export type ReadApplication = {
  version: string
  settings: ApplicationSettings
  schema: SchemaIndex
  /** Who and what is known: users, groups, resources. */
  directory: readonly EntityData[]
  policies: ReadonlyMap<string, CompiledPolicy>
  set: PolicySet
}

type Outcome = { findings: Finding[]; application: ReadApplication | undefined }

const isPolicy = (name: string) => name.endsWith('.cedar')

/** @returns whether a file of this name is part of an application, or looks as if somebody meant it to be */
export function isApplicationFile(name: string): boolean {
  return !name.startsWith('.') && /\.(?:cedar|cedarschema|json|ya?ml)$/i.test(name) && !/\.test\.ya?ml$/i.test(name)
}

/** What a file restricts must not silently be left out. */
function namingMistakes(files: PolicyFiles): Finding[] {
  const isKnown = (name: string) =>
    /^[A-Za-z0-9][\w.-]{0,99}\.cedar$/.test(name) || [SCHEMA_FILE, DIRECTORY_FILE, SETTINGS_FILE].includes(name)
  return Object.keys(files)
    .filter((name) => !isKnown(name))
    .map((name) =>
      mistakeIn(
        name,
        'FILE_NAME',
        /^charter\.ya?ml$/i.test(name)
          ? 'an application has no charter: risk, modes and budgets are not counted for what other systems do'
          : `an application is ${SCHEMA_FILE}, ${DIRECTORY_FILE}, ${SETTINGS_FILE} and policies; name those with letters, digits, . _ - and .cedar`,
      ),
    )
}

function mistakeIn(file: string, code: string, message: string): Finding {
  return errorAt({ ...NOWHERE, file }, code, message)
}

async function readSchema(cedar: Cedar, text: string | undefined, findings: Finding[]): Promise<SchemaJson | undefined> {
  if (text === undefined) {
    findings.push(mistakeIn(SCHEMA_FILE, 'SCHEMA_MISSING', `there is no ${SCHEMA_FILE}: declare the entity types and actions`))
    return undefined
  }
  const answer = await cedar.ask('schemaJson', text, TIMEOUT_MS)
  if ('json' in answer) return answer.json
  findings.push(...answer.errors.map((error) => fromCedar({ file: SCHEMA_FILE, text, offset: 0 }, error, 'error', 'SCHEMA_INVALID')))
  return undefined
}

/** The directory as the official engine and ours both take it. */
async function readDirectory(
  cedar: Cedar,
  text: string,
  json: SchemaJson,
  schema: SchemaIndex,
  findings: Finding[],
): Promise<EntityData[]> {
  let entities: unknown
  try {
    entities = JSON.parse(text)
  } catch (error) {
    findings.push(mistakeIn(DIRECTORY_FILE, 'DIRECTORY_INVALID', `not JSON: ${(error as Error).message}`))
    return []
  }
  const errors = await cedar.ask('entities', { entities, schema: json }, TIMEOUT_MS)
  findings.push(...errors.map(({ message }) => mistakeIn(DIRECTORY_FILE, 'DIRECTORY_INVALID', message)))
  if (errors.length > 0) return []
  try {
    return readEntities(entities, schema)
  } catch (error) {
    if (!(error instanceof CedarError)) throw error
    findings.push(mistakeIn(DIRECTORY_FILE, 'DIRECTORY_INVALID', error.message))
    return []
  }
}

async function read(cedar: Cedar, files: PolicyFiles): Promise<Outcome> {
  const settled = readApplicationSettings(files[SETTINGS_FILE])
  const findings: Finding[] = [...namingMistakes(files), ...('findings' in settled ? settled.findings : [])]
  const texts = Object.fromEntries(Object.entries(files).filter(([name]) => isPolicy(name)))
  const { policies, findings: said } = await readPolicies(cedar, texts, NO_WORLD)
  findings.push(...said)
  const json = await readSchema(cedar, files[SCHEMA_FILE], findings)
  if (!json) return { findings, application: undefined }
  const schema = indexSchema(json)
  const directory = await readDirectory(cedar, files[DIRECTORY_FILE] ?? '[]', json, schema, findings)
  if (policies.size > 0) findings.push(...(await validatePolicies(cedar, policies, json as never)))
  if ('findings' in settled || findings.some(({ severity }) => severity === 'error')) return { findings, application: undefined }
  const set = compilePolicies([...policies].map(([id, { policy }]) => [id, policy.json]))
  const compiled = new Map([...policies].map(([id, { policy }]) => [id, policy]))
  return { findings, application: { version: versionOf(files), settings: settled.settings, schema, directory, policies: compiled, set } }
}

/** In a thread of its own, which ends with the check. An application with any error decides nothing. */
export async function readApplication(files: PolicyFiles): Promise<Outcome> {
  const total = Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const message = `at most ${MAX_FILES} files and ${MAX_TOTAL} bytes in all`
  if (Object.keys(files).length > MAX_FILES || total > MAX_TOTAL)
    return { findings: [mistakeIn('', 'POLICY_TOO_LARGE', message)], application: undefined }
  const cedar = startCedar()
  try {
    const { findings, application } = await read(cedar, files)
    return { findings: distinct(findings), application }
  } catch (error) {
    const why = error instanceof CedarError ? error.message : 'Cedar failed on this application, or took too long'
    return { findings: [mistakeIn('', 'POLICY_UNREADABLE', why)], application: undefined }
  } finally {
    cedar.close()
  }
}
