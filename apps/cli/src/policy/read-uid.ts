/** Entity uids as people write them: `Type::"id"` becomes the JSON form that the official engine reads. */
import type { ExactJson } from './exact-json.ts'

const UID = /^([A-Za-z_]\w*(?:::[A-Za-z_]\w*)*)::"((?:[^"\\]|\\.)*)"$/u
const ESCAPE = /\\(?:([nrt\\0'"])|x([0-7][\da-fA-F])|u\{([\da-fA-F](?:_*[\da-fA-F]){0,5}_*)\}|(.))/gsu
const PLAIN: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\', 0: '\0', "'": "'", '"': '"' }

/** @returns the uid in JSON form where `given` is a text of that form; else `given`, which the engine accepts or refuses */
export function readUid(given: ExactJson): ExactJson {
  const [, type, quoted] = (typeof given === 'string' && UID.exec(given)) || []
  if (type === undefined || quoted === undefined) return given
  let understood = true
  const id = quoted.replaceAll(ESCAPE, (_, plain?: string, byte?: string, point?: string) => {
    if (plain !== undefined) return PLAIN[plain] ?? ''
    const code = Number.parseInt((byte ?? point ?? 'ffffff').replaceAll('_', ''), 16)
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) understood = false
    return understood ? String.fromCodePoint(code) : ''
  })
  return understood ? { type, id } : given
}
