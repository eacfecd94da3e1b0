/** Entries as CSV (RFC 4180) for people with a spreadsheet, in which nothing that an agent wrote becomes a formula. */
import type { Entry } from '../types.ts'
import { factsOf } from './entry-facts.ts'

const COLUMNS = [
  'seq',
  'at',
  'type',
  'id',
  'effect',
  'outcome',
  'fault',
  'agent',
  'person',
  'server',
  'tool',
  'method',
  'risk',
  'policies',
  'session',
  'trace',
  'leafHash',
  'body',
] as const

/**
 * Spreadsheets run what begins like this (OWASP, "CSV Injection"), also behind spaces and in full-width forms. An
 * apostrophe before it makes it text; it stays in the cell for programs, which have JSON Lines.
 */
const FORMULA = /^\s*[=+\-@\t\r\n＝＋－＠]|^[\t\r\n]/u

function cell(value: string): string {
  const safe = FORMULA.test(value) ? `'${value}` : value
  return /[",\r\n\t]|^'/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

export const csvHeader = `${COLUMNS.join(',')}\r\n`

/** @param text the body as it was hashed */
export function toCsv({ seq, leafHash, body }: Entry, text: string): string {
  const facts = { ...factsOf(body), seq: String(seq), leafHash, body: text }
  return `${COLUMNS.map((name) => cell(name === 'policies' ? facts.policies.join(' ') : (facts[name] ?? ''))).join(',')}\r\n`
}
