/** One form for what can be written in many: addresses and host names, so that a policy's text comparison means the place. */
import { domainToASCII } from 'node:url'
import type { Format, RecordShape, ValueType } from './input-type.ts'

const canonical: Record<Format, (text: string) => string | undefined> = {
  /** As browsers read it (WHATWG URL): dots resolved, host in lower-case ASCII, backslashes and control characters gone. */
  uri: (text) => (URL.canParse(text) ? new URL(text).href : undefined),
  /** In lower-case ASCII without a dot at the end; `0x7f.1` and other spellings of an address are that address. */
  hostname(text) {
    const named = text.endsWith('.') ? text.slice(0, -1) : text
    if (!/^[^\s/?#@:\\%]+$/.test(named) || domainToASCII(named) === '') return undefined
    return URL.canParse(`http://${named}/`) ? new URL(`http://${named}/`).hostname : undefined
  },
}

/** @returns undefined for what is no such thing */
export function canonicalText(format: Format, text: string): string | undefined {
  return canonical[format](text)
}

type Plain = Record<string, unknown>

function canonicalValue(type: ValueType, value: unknown): unknown {
  if (type.kind === 'record') return canonicalInput(type, value as Plain)
  const { format } = 'format' in type ? type : {}
  if (format === undefined) return value
  return type.kind === 'set' ? (value as string[]).map((text) => canonicalText(format, text)) : canonicalText(format, value as string)
}

/**
 * The input with each address and host name in its one form, and without what is null where that means absent.
 * @param input fits the shape: `checkValue` said so
 */
export function canonicalInput(shape: RecordShape, input: Plain): Plain {
  if (!shape.rewritten) return input
  const written: Plain = {}
  for (const [name, { type }] of shape.fields) {
    const value = Object.hasOwn(input, name) ? input[name] : undefined
    if (value !== undefined && value !== null) written[name] = canonicalValue(type, value)
  }
  return written
}
