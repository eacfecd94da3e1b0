/** Who a message comes from and how to answer them in between: what each revision hands to the methods they share. */
import type { AgentPrincipal } from '@ephor/contract'
import type { Held } from '@ephor/engine/broker'
import type { JsonObject } from '@ephor/engine/kernel'
import { z } from 'zod'

/** The syslog severities that MCP logging uses, least urgent first. */
export const LOG_LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const LogLevelSchema = z.enum(LOG_LEVELS)

export function isAtLeast(level: unknown, threshold: LogLevel): boolean {
  const known = LogLevelSchema.safeParse(level)
  return !known.success || LOG_LEVELS.indexOf(known.data) >= LOG_LEVELS.indexOf(threshold)
}

/** Reserved `_meta` keys of revision 2026-07-28. */
export const META_LOG_LEVEL = 'io.modelcontextprotocol/logLevel'
export const META_CLIENT_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'

/** Requests that a tool server may make of the agent's client, if a policy lets it. */
export const SERVER_REQUESTS = ['sampling/createMessage', 'elicitation/create', 'roots/list'] as const
export type ServerRequestMethod = (typeof SERVER_REQUESTS)[number]

/** One request of an agent while it is being answered. */
export type Caller = {
  principal: AgentPrincipal
  bearer: string
  /** The broker's session. */
  session: string
  /** What tool servers' requests are attributed to: one MCP session, or one stateless request. */
  origin: string
  signal: AbortSignal
  /** True in revision 2026-07-28. */
  stateless: boolean
  clientCapabilities: JsonObject
  /** Sends a notification on the stream of this request. Dropped when the reader is slow: progress and logs may be lost. */
  notify(method: string, params: JsonObject): void
  /**
   * Asks the client that made this request; rejects when the signal fires. Questions put in one go, without a pause in between, reach a
   * stateless client together; `key` is what the server calls a question.
   */
  ask(method: ServerRequestMethod, params: JsonObject, signal: AbortSignal, key?: string): Promise<JsonObject>
  /** Results of this call are examined before they are passed on: progress and logs can't be, so they are not. */
  quiet?: boolean
  /** Where the client can wait for a held call itself: what it gets in place of the refusal. */
  onHeld?: (held: Held) => JsonObject
  /** From which severity the client wants log messages on this request's stream; undefined: none. */
  logLevel(): LogLevel | undefined
}

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** An object that came out of `parseJson`, so that its insides are JSON. */
export const JsonObjectSchema = z.custom<JsonObject>(isObject, 'must be an object')

export function objectAt(value: JsonObject | undefined, key: string): JsonObject | undefined {
  const inner = value?.[key]
  return isObject(inner) ? inner : undefined
}

/** Whether a client that declared these capabilities can be asked this. */
export function canAsk(capabilities: JsonObject, method: ServerRequestMethod, params: JsonObject): boolean {
  if (method === 'roots/list') return objectAt(capabilities, 'roots') !== undefined
  if (method === 'sampling/createMessage') {
    const sampling = objectAt(capabilities, 'sampling')
    const needsTools = params['tools'] !== undefined || params['toolChoice'] !== undefined
    return sampling !== undefined && (!needsTools || sampling['tools'] !== undefined)
  }
  const elicitation = objectAt(capabilities, 'elicitation')
  if (elicitation === undefined) return false
  // Before modes existed, an empty object meant forms (revision 2025-11-25, client/elicitation).
  if (params['mode'] === 'url') return elicitation['url'] !== undefined
  return elicitation['form'] !== undefined || elicitation['url'] === undefined
}
