/** Findings from what Cedar says and from our own checks: with a place in the file, in its words of today. */
import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs'
import { offsetOfByte, positionAt } from './scan-policies.ts'
import type { Finding } from './types.ts'

/** A place in a file's text, in UTF-16 units. */
export type Place = { file: string; text: string; offset: number }

export const NOWHERE: Place = { file: '', text: '', offset: 0 }

const MAX_FINDINGS = 200

type Said = { code: string; severity: Finding['severity']; message: string; suggestion?: string; policy?: string }

export function finding({ file, text, offset }: Place, { code, severity, message, suggestion, policy }: Said): Finding {
  const found: Finding = { code, severity, file, ...positionAt(text, offset), message }
  if (suggestion !== undefined) found.suggestion = suggestion
  if (policy !== undefined) found.policy = policy
  return found
}

export const errorAt = (place: Place, code: string, message: string): Finding => finding(place, { code, severity: 'error', message })

const CODES: [RegExp, string][] = [
  [/^attribute .* not found/, 'ATTRIBUTE_UNKNOWN'],
  [/unrecognized action/, 'ACTION_UNKNOWN'],
  [/unrecognized entity type/, 'TYPE_UNKNOWN'],
  [/unable to guarantee safety of access to optional/, 'ATTRIBUTE_OPTIONAL'],
  [/policy is impossible|unable to find an applicable action/, 'POLICY_IMPOSSIBLE'],
]

/** @param from what Cedar's offsets, which count bytes, count from */
export function fromCedar(from: Place, error: DetailedError, severity: Finding['severity'], otherwise: string): Finding {
  const message = error.message.replace(/^for policy `[^`]*`, /, '').replace(/^failed to parse policies from string: /, '')
  const label = error.sourceLocations?.[0]
  const offset = from.offset + offsetOfByte(from.text.slice(from.offset), label?.start ?? 0)
  const code = CODES.find(([pattern]) => pattern.test(message))?.[1] ?? otherwise
  const hint = error.help ?? label?.label ?? undefined
  return finding({ ...from, offset }, { code, severity, message, ...(hint === undefined ? {} : { suggestion: hint }) })
}

/** Errors first, in the order of the files; Cedar says the same once for every action that a policy covers: once is enough. */
export function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Map(findings.toReversed().map((one) => [`${one.file}:${one.line}:${one.column}:${one.code}`, one]))
  const ordered = [...seen.values()].toSorted((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column,
  )
  const errors = ordered.filter(({ severity }) => severity === 'error')
  return [...errors, ...ordered.filter(({ severity }) => severity === 'warning')].slice(0, MAX_FINDINGS)
}
