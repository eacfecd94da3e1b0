/** What a tool server lists, checked: size and number bounded before anything is stored, each definition pinned by digest. */
import { createHash } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { canonicalize } from '@ephor/proof'
import type { ToolDefinition } from './types.ts'
import { foldName, hasHidden, spellHidden } from './untrusted-text.ts'

export const LIMITS = {
  /** Tools of one server. */
  tools: 500,
  /** Bytes of one definition in canonical form. */
  definition: 64 * 1024,
  /** Bytes of all definitions of one server. */
  list: 2 * 1024 * 1024,
  /** Characters of a tool's name (MCP 2025-11-25 says 128 at most). */
  name: 128,
  /** Arrays and objects inside one another. */
  depth: 32,
}

/** A definition as it is stored: `text` is its canonical form (RFC 8785), which `digest` covers. */
export type Pinned = { name: string; digest: string; text: string; definition: ToolDefinition }

export const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`

export const digestOfJson = (value: Json): string => digestOf(canonicalize(value))

const refuse = (detail: string): never => {
  throw new Fault('SERVER_REFUSED', detail)
}

function refuseDepth(value: Json, name: string): void {
  let level: Json[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > LIMITS.depth) refuse(`the definition of ${name} is nested more than ${LIMITS.depth} deep`)
    level = level.flatMap((item) => (item !== null && typeof item === 'object' ? Object.values(item) : []))
  }
}

const isObject = (value: Json | undefined): value is JsonObject => value !== null && typeof value === 'object' && !Array.isArray(value)

function pin(definition: JsonObject): Pinned {
  const { name, inputSchema } = definition
  if (typeof name !== 'string' || name === '' || name.length > LIMITS.name)
    return refuse(`a tool's name is not 1 to ${LIMITS.name} characters`)
  const shown = spellHidden(name)
  if (!isObject(inputSchema)) return refuse(`the tool ${shown} has no input schema`)
  refuseDepth(definition, shown)
  let text: string
  try {
    text = canonicalize(definition)
  } catch {
    return refuse(`the definition of ${shown} is not acceptable JSON`)
  }
  if (Buffer.byteLength(text) > LIMITS.definition) refuse(`the definition of ${shown} is larger than ${LIMITS.definition} bytes`)
  return { name, digest: digestOf(text), text, definition: { ...definition, name, inputSchema } }
}

/** @throws Fault SERVER_REFUSED with a detail fit for an operator; nothing of the list may be used then. */
export function checkDefinitions(definitions: readonly JsonObject[]): Map<string, Pinned> {
  if (definitions.length > LIMITS.tools) refuse(`it lists ${definitions.length} tools; the limit is ${LIMITS.tools}`)
  const pinned = new Map<string, Pinned>()
  let bytes = 0
  for (const definition of definitions) {
    const one = pin(definition)
    if (pinned.has(one.name)) refuse(`it lists two tools of the name ${spellHidden(one.name)}`)
    bytes += one.text.length
    if (bytes > LIMITS.list) refuse(`its definitions are larger than ${LIMITS.list} bytes together`)
    pinned.set(one.name, one)
  }
  return pinned
}

/** Why tools of these names can't be told apart safely; empty when they can. */
export function findingsOf(names: readonly string[]): string[] {
  const findings: string[] = []
  const folded = new Map<string, string>()
  for (const name of names) {
    if (hasHidden(name)) findings.push(`the name ${spellHidden(name)} contains characters that cannot be seen`)
    const fold = foldName(name)
    const other = folded.get(fold)
    if (other === undefined) folded.set(fold, name)
    else findings.push(`the names ${spellHidden(other)} and ${spellHidden(name)} look the same`)
  }
  return findings
}
