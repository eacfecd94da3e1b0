/** The first guess at what a tool does, from its server's own hints. An operator confirms it; nothing else trusts it. */
import type { Json, JsonObject } from '@ephor/engine/kernel'
import type { Risk, ToolDefinition, ToolKind } from './types.ts'

export type Proposal = { kind: ToolKind; risk: Risk; paths: string[] }

const words = (name: string): string[] =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')

const DESTRUCTIVE = new Set(['delete', 'remove', 'drop', 'destroy', 'purge', 'truncate', 'wipe', 'erase', 'kill', 'terminate'])
const MONEY = new Set(['pay', 'payment', 'payout', 'transfer', 'refund', 'charge', 'purchase', 'buy', 'sell'])
const IDENTITY = new Set([
  'grant',
  'revoke',
  'invite',
  'permission',
  'permissions',
  'role',
  'roles',
  'password',
  'credential',
  'credentials',
])

/**
 * Kind and risk from MCP's annotations and their defaults (2025-11-25, ToolAnnotations): unknown means destructive. The
 * name only ever raises the guess, since a server that lies would lie downwards.
 */
function proposeKind(definition: ToolDefinition): { kind: ToolKind; risk: Risk } {
  const hints: JsonObject =
    definition['annotations'] && typeof definition['annotations'] === 'object' && !Array.isArray(definition['annotations'])
      ? definition['annotations']
      : {}
  const name = words(definition.name)
  if (name[0] !== undefined && DESTRUCTIVE.has(name[0])) return { kind: 'destructive', risk: 'high' }
  if (hints['readOnlyHint'] === true) return { kind: 'read', risk: hints['openWorldHint'] === true ? 'medium' : 'low' }
  if (name.some((word) => MONEY.has(word))) return { kind: 'money', risk: 'critical' }
  if (name.some((word) => IDENTITY.has(word))) return { kind: 'identity', risk: 'critical' }
  if (hints['destructiveHint'] !== false) return { kind: 'destructive', risk: 'high' }
  if (hints['openWorldHint'] !== false) return { kind: 'external', risk: 'medium' }
  return { kind: 'write', risk: 'medium' }
}

const PATH_WORDS = new Set([
  'path',
  'paths',
  'file',
  'files',
  'filename',
  'filenames',
  'filepath',
  'filepaths',
  'directory',
  'directories',
  'dir',
  'folder',
  'folders',
  'cwd',
])
const PATH_NAMES = new Set(['source', 'destination', 'src', 'dest', 'target', 'root'])
const URI_WORDS = new Set(['uri', 'uris', 'url', 'urls'])

const isObject = (value: Json | undefined): value is JsonObject => value !== null && typeof value === 'object' && !Array.isArray(value)

function isPathName(name: string, schema: JsonObject): boolean {
  const parts = words(name)
  if (parts.some((word) => PATH_WORDS.has(word)) || PATH_NAMES.has(name.toLowerCase())) return true
  // An address counts when the schema speaks of files.
  return parts.some((word) => URI_WORDS.has(word)) && /file:/i.test(JSON.stringify(schema))
}

/** Deep enough for real schemas; ends those that refer to themselves. */
const MAX_DEPTH = 6
const MAX_PATHS = 64
/** Schemas looked at: references and alternatives can multiply, and the server writes them. */
const MAX_SCHEMAS = 2000

type Walk = { root: JsonObject; found: Set<string>; left: number }

function refer(ref: string, root: JsonObject): JsonObject | undefined {
  let at: Json | undefined = root
  for (const token of ref.slice(2).split('/')) {
    const key: string = token.replaceAll('~1', '/').replaceAll('~0', '~')
    at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined
  }
  return isObject(at) ? at : undefined
}

/** Schemas that apply at the same place as this one: what it refers to inside the document, its alternatives. */
function siblings(schema: JsonObject, root: JsonObject): JsonObject[] {
  const { $ref: ref } = schema
  const referred = typeof ref === 'string' && ref.startsWith('#/') ? [refer(ref, root)] : []
  const listed = ['anyOf', 'oneOf', 'allOf'].flatMap((keyword) => schema[keyword] ?? [])
  return [...referred, ...listed].filter((one) => isObject(one))
}

const COMPOUND = ['items', 'properties', '$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const']

/** Text, or anything: `{}` and a schema that only has a description accept text as well. */
function acceptsText(schema: JsonObject): boolean {
  const { type } = schema
  if ('enum' in schema) return false
  if (type === undefined) return !COMPOUND.some((keyword) => keyword in schema)
  return type === 'string' || (Array.isArray(type) && type.includes('string'))
}

function collect(walk: Walk, schema: JsonObject, at: string, named: boolean, depth: number): void {
  if (depth > MAX_DEPTH || walk.found.size >= MAX_PATHS || --walk.left < 0) return
  if (named && acceptsText(schema)) walk.found.add(at)
  for (const one of siblings(schema, walk.root)) collect(walk, one, at, named, depth + 1)
  const { items, properties } = schema
  if (isObject(items)) collect(walk, items, `${at}/*`, named, depth + 1)
  if (!isObject(properties)) return
  for (const [name, inner] of Object.entries(properties)) {
    const pointer = `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (isObject(inner)) collect(walk, inner, pointer, isPathName(name, inner), depth + 1)
  }
}

/** What accepting the tool would classify it as, unless the operator says otherwise. */
export function proposeClassification(definition: ToolDefinition): Proposal {
  const walk: Walk = { root: definition.inputSchema, found: new Set(), left: MAX_SCHEMAS }
  collect(walk, definition.inputSchema, '', false, 0)
  return { ...proposeKind(definition), paths: [...walk.found].filter((pointer) => pointer.length <= 512) }
}

const RISKS: readonly Risk[] = ['low', 'medium', 'high', 'critical']

/**
 * What a tool whose definition changed is proposed as: what the operator confirmed, unless the new definition hints at
 * something at least as risky that the old one did not; path arguments only add up.
 */
export function reclassify(confirmed: Proposal, before: ToolDefinition, after: ToolDefinition): Proposal {
  const [old, now] = [proposeClassification(before), proposeClassification(after)]
  const sameKind = old.kind === now.kind && old.risk === now.risk
  const { kind, risk } = sameKind || RISKS.indexOf(now.risk) < RISKS.indexOf(confirmed.risk) ? confirmed : now
  return {
    kind,
    risk,
    paths: [...confirmed.paths, ...now.paths.filter((path) => !confirmed.paths.includes(path) && !old.paths.includes(path))],
  }
}
