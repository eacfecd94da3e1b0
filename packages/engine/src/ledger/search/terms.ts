/** What an entry can be found by, read from its body alone: the one function that indexing, searching and exporting share. */
import { hash } from 'node:crypto'
import { FAULTS } from '@ephor/contract'
import type { FaultCode, SearchField } from '@ephor/contract'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { wordsOf } from './words.ts'

/** `@reason` texts of a policy version, by policy id. */
export type Reasons = Readonly<Record<string, string>>

/** Raise it with any change of what an entry can be found by: an index of another version is built again. */
export const TERMS_VERSION = 1

const MAX_TERMS = 600
const MAX_DEPTH = 6
const ID = /^([a-z]{3})_[0-9a-z]{1,40}(?=\/|$)/
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/

/** What members of bodies mean, wherever they stand. */
const MEANING: Readonly<Record<string, readonly SearchField[]>> = {
  effect: ['effect'],
  verdict: ['effect'],
  fault: ['fault'],
  server: ['server', 'resource'],
  application: ['server', 'resource'],
  secret: ['resource'],
  risk: ['risk'],
  tier: ['risk'],
  session: ['session'],
  door: ['door'],
  policy: ['policy'],
  version: ['policy'],
  reasons: ['policy'],
  policies: ['policy'],
}
const OF_ID: Readonly<Record<string, SearchField>> = { agt: 'agent', per: 'person', ses: 'session' }
/** Members that say something in words. */
const IN_WORDS = new Set(['detail', 'because', 'reason', 'said', 'reasons', 'policies'])

/** A zero byte between: no value can pretend to be of another field. */
export function term(field: SearchField | 'text', value: string): string {
  return `${field}\0${value}`
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
const text = (value: Json | undefined) => (typeof value === 'string' ? value : undefined)

/** Calls with each string and the name of the member that it stands in. */
function walk(value: Json, key: string, depth: number, see: (key: string, text: string) => void): void {
  if (typeof value === 'string') see(key, value)
  else if (depth >= MAX_DEPTH || typeof value !== 'object' || value === null) return
  else if (Array.isArray(value)) for (const one of value) walk(one, key, depth + 1, see)
  else for (const [name, one] of Object.entries(value)) walk(one, name, depth + 1, see)
}

/** The tool that the entry is about: pinned, named, or the action of an application. */
function toolOf(body: JsonObject): { server: string | undefined; name: string } | undefined {
  const { tool, action } = body
  if (isObject(tool) && typeof tool['name'] === 'string') return { server: text(tool['server']), name: tool['name'] }
  const name = text(tool) ?? text(action)
  if (name === undefined) return undefined
  const slash = name.indexOf('/')
  if (body['server'] === undefined && slash > 0) return { server: name.slice(0, slash), name: name.slice(slash + 1) }
  return { server: text(body['server']), name }
}

function reasonTexts(body: JsonObject, reasons: Reasons): string[] {
  const ids = Array.isArray(body['reasons']) ? body['reasons'] : []
  return ids.flatMap((id) => (typeof id === 'string' && Object.hasOwn(reasons, id) ? [reasons[id] ?? ''] : []))
}

function faultTexts(fault: string | undefined): string[] {
  return fault !== undefined && Object.hasOwn(FAULTS, fault) ? [FAULTS[fault as FaultCode].title] : []
}

/** @param reasons of the policy version that the body names */
export function termsOf(body: JsonObject, reasons: Reasons): Set<string> {
  const terms = new Set<string>()
  const add = (field: SearchField, value: string) => void (terms.size < MAX_TERMS && terms.add(term(field, value)))
  const type = text(body['type']) ?? ''
  type.split('.').forEach((_, i, parts) => add('type', parts.slice(0, i + 1).join('.')))
  const said: string[] = [...reasonTexts(body, reasons), ...faultTexts(text(body['fault']))]
  // Before what can be many: the parents of a call, the asks of an approval.
  const tool = toolOf(body)
  if (tool) {
    add('tool', tool.name)
    if (tool.server !== undefined) for (const field of ['tool', 'resource'] as const) add(field, `${tool.server}/${tool.name}`)
  }
  if (type === 'outcome') add('outcome', text(body['status']) ?? '')
  const trace = text(body['trace'])
  if (trace !== undefined) for (const one of [trace, TRACEPARENT.exec(trace)?.[1] ?? trace]) add('trace', one)
  const principal = body['principal']
  if (isObject(principal)) add(principal['type'] === 'tool-server' ? 'server' : 'agent', text(principal['id']) ?? '')
  walk(body, '', 0, (key, value) => {
    for (const field of (Object.hasOwn(MEANING, key) && MEANING[key]) || []) add(field, value)
    const [id, kind] = ID.exec(value) ?? []
    if (id !== undefined) add('about', id)
    const field = OF_ID[kind ?? '']
    if (id !== undefined && field) add(field, id)
    if (IN_WORDS.has(key) && id === undefined) said.push(value)
  })
  for (const word of wordsOf(said)) terms.add(term('text', word))
  return terms
}

/**
 * How a term stands in an index: 64 bits of SHA-256 in hexadecimal. Whatever an agent puts into a value, nothing of it
 * reaches the index's own syntax; two values that collide are told apart when the entry is read.
 */
export function hashTerm(raw: string): string {
  return hash('sha256', raw, 'hex').slice(0, 16)
}
