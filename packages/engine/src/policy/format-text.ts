/** Formats a policy file as the official engine does, and only where nothing of it is lost: the same policies, the same comments. */
import type { PolicyJson } from '@ephor/cedar'
import { errorAt, fromCedar } from './findings.ts'
import { scanPolicies } from './scan-policies.ts'
import { startCedar } from './start-cedar.ts'
import type { Cedar } from './start-cedar.ts'
import type { Finding } from './types.ts'

const TIMEOUT_MS = 10_000
const MAX_BYTES = 256 * 1024
const COMMENT = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|\/\/[^\n]*/g

/** In their order; what stands in a text is no comment. */
const commentsOf = (text: string) => [...text.matchAll(COMMENT)].map(([found]) => found.trimEnd()).filter((found) => found.startsWith('//'))

const said = (value: unknown) => JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? `${member}n` : member))

/** What each policy of a text says, as JSON; undefined where one can't be read. */
async function meaningOf(cedar: Cedar, text: string): Promise<string[] | undefined> {
  const scanned = scanPolicies(text)
  if ('problem' in scanned) return undefined
  const pieces = scanned.pieces.map((piece) => piece.text)
  const [{ errors, policies, templates }, jsons] = [
    await cedar.ask('syntax', text, TIMEOUT_MS),
    await cedar.ask('toJson', pieces, TIMEOUT_MS),
  ]
  const whole = errors.length === 0 && templates === 0 && policies === pieces.length
  const readable = jsons.filter((json): json is PolicyJson => !('errors' in json))
  return whole && readable.length === pieces.length ? readable.map(said) : undefined
}

const same = (a: readonly string[] | undefined, b: readonly string[] | undefined) =>
  a !== undefined && b !== undefined && a.length === b.length && a.every((one, i) => one === b[i])

/** What is said of the file as a whole stays apart from what is said of its first policy. */
function withHeader(text: string, formatted: string): string {
  const header = /^(?:\/\/[^\n]*\n)+(?=[ \t\r]*\n)/.exec(text.trimStart())?.[0] ?? ''
  const size = header.split('\n').length - 1
  const lines = formatted.split('\n')
  const isHeader = size > 0 && lines.slice(0, size).every((line) => line.startsWith('//'))
  return isHeader ? [...lines.slice(0, size), '', ...lines.slice(size)].join('\n') : formatted
}

/** @returns the formatted text; or why it is left as it is */
export async function formatText(file: string, text: string): Promise<{ text: string } | { findings: Finding[] }> {
  const place = { file, text, offset: 0 }
  const refuse = (code: string, message: string) => ({ findings: [errorAt(place, code, message)] })
  if (Buffer.byteLength(text) > MAX_BYTES) return refuse('POLICY_TOO_LARGE', `larger than ${MAX_BYTES} bytes`)
  const scanned = scanPolicies(text)
  if ('problem' in scanned) {
    const { message, offset } = scanned.problem
    return { findings: [errorAt({ ...place, offset }, 'POLICY_TOO_DEEP', message)] }
  }
  const cedar = startCedar()
  try {
    const formatted = await cedar.ask('format', text, TIMEOUT_MS)
    if ('errors' in formatted) return { findings: formatted.errors.map((error) => fromCedar(place, error, 'error', 'POLICY_SYNTAX')) }
    const next = withHeader(text, `${formatted.text.trim()}\n`)
    const kept = same(commentsOf(text), commentsOf(next)) && same(await meaningOf(cedar, text), await meaningOf(cedar, next))
    return kept
      ? { text: next }
      : refuse('FORMAT_UNSAFE', 'formatting would lose a comment or change a policy, so the file is left as it is')
  } catch {
    return refuse('POLICY_UNREADABLE', 'Cedar failed on this file, or took too long: simplify the policy that was changed last')
  } finally {
    cedar.close()
  }
}
