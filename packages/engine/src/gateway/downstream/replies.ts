/** What an agent is told: results with their receipts, and held or refused calls in words and in data. */
import { FAULTS, Fault } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import type { Performed } from '@ephor/engine/broker'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import { isoTime } from '@ephor/engine/kernel'
import { ProtocolError } from '@modelcontextprotocol/server'
import { objectAt } from './caller.ts'

const META_RECEIPT = 'dev.ephor/receipt'
export const META_APPROVAL = 'dev.ephor/approval'
const META_FAULT = 'dev.ephor/fault'
export const META_SESSION = 'dev.ephor/session'

/** Server error codes of JSON-RPC that MCP leaves to implementations. */
const REFUSED = -32010
const INVALID_PARAMS = -32602
const INTERNAL_ERROR = -32603

/** Faults that mean "there is no such thing": MCP answers those as protocol errors, not as results of a tool. */
const NO_SUCH_NAME: ReadonlySet<FaultCode> = new Set(['TOOL_UNKNOWN', 'SERVER_UNKNOWN', 'TOOL_NAME_SUSPICIOUS'])

type NotDone = Exclude<Performed, { kind: 'done' }>

function proofOf({ decision, receipt }: Performed): JsonObject {
  return { decision, origin: receipt.origin, seq: receipt.seq, leafHash: receipt.leafHash }
}

/** The upstream's result as it came, with the receipt of the decision added to its `_meta`. */
export function withReceipt(value: JsonObject, performed: Performed): JsonObject {
  return { ...value, _meta: { ...objectAt(value, '_meta'), [META_RECEIPT]: proofOf(performed) } }
}

/** The decision that a result's receipt names. */
export function decisionIn(result: JsonObject): string {
  const decision = objectAt(objectAt(result, '_meta'), META_RECEIPT)?.['decision']
  return typeof decision === 'string' ? decision : ''
}

/** The upstream's error as it came, with the receipt under a key of its own, unless its data is something that has no keys. */
export function errorWithReceipt(error: { code: number; message: string; data?: unknown }, performed: Performed): ProtocolError {
  const { code, message, data = {} } = error
  const hasKeys = typeof data === 'object' && data !== null && !Array.isArray(data)
  return new ProtocolError(code, message, hasKeys ? { ...data, [META_RECEIPT]: proofOf(performed) } : data)
}

/** The reasons of the policies, and the detail where it says something else. */
function why(performed: NotDone): string {
  const reasons = [...new Set(performed.reasons.map(({ text }) => text))].filter((text) => text !== '').join('; ')
  const detail = performed.kind === 'held' ? '' : performed.detail
  const isMore = detail !== '' && !reasons.includes(detail)
  // The broker's detail often begins with the reasons and goes on.
  if (isMore && detail.includes(reasons)) return `\nWhy: ${detail}`
  return (reasons === '' ? '' : `\nWhy: ${reasons}`) + (isMore ? `\nDetail: ${detail}` : '')
}

/** What happened and what to do, for a reader who may be a language model. */
export function explain(performed: NotDone): string {
  if (performed.kind === 'held') {
    const { id, expiresAt } = performed.approval
    return [
      `Held: this call needs the approval of a person, and has not run.${why(performed)}`,
      `Waiting for: a person who may approve it, until ${isoTime(expiresAt)}.`,
      `Handle: ${id}`,
      `To go on, make exactly the same call again once it is approved, with _meta["${META_APPROVAL}"]: "${id}" or without; do not change the arguments.`,
    ].join('\n')
  }
  const { title, advice } = FAULTS[performed.fault]
  const opening =
    performed.kind === 'refused'
      ? `Refused (${performed.fault}): ${title}. The call has not run.`
      : `${performed.kind === 'unknown' ? 'Outcome unknown' : 'Failed'} (${performed.fault}): ${title}.`
  return `${opening}${why(performed)}\nWhat to do: ${advice}\nRecorded as: ${performed.decision}`
}

function factsOf(performed: NotDone): JsonObject {
  const reasons = performed.reasons.map(({ policy, text }) => ({ policy, text }))
  if (performed.kind !== 'held') return { code: performed.fault, advice: FAULTS[performed.fault].advice, reasons }
  const { id, expiresAt } = performed.approval
  return { code: 'APPROVAL_REQUIRED', approval: { id, expiresAt: isoTime(expiresAt) }, reasons }
}

/** A tool call that didn't run, or broke, as a result of the tool, so that the model can read why (server/tools, Error Handling). */
function toolRefusal(performed: NotDone): JsonObject {
  const facts = factsOf(performed)
  const approval = objectAt(facts, 'approval')
  const meta = { [META_FAULT]: facts, ...(approval === undefined ? {} : { [META_APPROVAL]: approval }) }
  return withReceipt({ isError: true, content: [{ type: 'text', text: explain(performed) }], _meta: meta }, performed)
}

/**
 * The result for a call that is not done.
 * @throws ProtocolError for everything but tools, and for names that don't exist (-32602).
 */
export function refusal(method: string, performed: NotDone): JsonObject {
  const unknownName = performed.kind === 'refused' && NO_SUCH_NAME.has(performed.fault)
  if (method === 'tools/call' && !unknownName) return toolRefusal(performed)
  const { decision, receipt } = performed
  const data = { ...factsOf(performed), receipt: { decision, ...receipt } }
  throw new ProtocolError(unknownName ? INVALID_PARAMS : REFUSED, explain(performed), data)
}

/** A fault before anything was decided, as the protocol error that the client gets. */
export function asProtocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error
  if (!(error instanceof Fault))
    return new ProtocolError(INTERNAL_ERROR, 'Something failed inside Ephor; nothing more was permitted', { code: 'INTERNAL' })
  const code = error.status < 500 ? INVALID_PARAMS : INTERNAL_ERROR
  return new ProtocolError(code, `${FAULTS[error.code].title}: ${error.message}`, { code: error.code, advice: FAULTS[error.code].advice })
}

/** The JSON-RPC error that says what went wrong. */
export function errorOf(error: unknown): { code: number; message: string; data?: Json } {
  const { code, message, data } = asProtocolError(error)
  // Came over the wire as JSON, or is ours; the type of `data` is what the SDK gives it.
  return { code, message, ...(data === undefined ? {} : { data: data as Json }) }
}

export function invalidParams(message: string): ProtocolError {
  return new ProtocolError(INVALID_PARAMS, message)
}
