/** Splits a policy file into its policies without parsing them, and refuses what would overflow the parser's stack. */

export type Piece = {
  /** Offsets into the file's text, in UTF-16 units; the text ends with its semicolon. */
  start: number
  text: string
}
export type ScanProblem = { offset: number; message: string }

// Measured on cedar-wasm 4.13: about 100 parentheses, 150 nested ifs or some thousand operators overflow its stack and
// leave the instance damaged. The limits are well below.
const MAX_DEPTH = 32
const MAX_IFS = 24
const MAX_TOKENS = 1500

const TOKEN = /\s+|\/\/[^\n]*|"[^"\\]*(?:\\[\s\S][^"\\]*)*"|[A-Za-z_]\w*|&&|\|\||[=!<>]=|::|[\s\S]/gy

function inspectToken(token: string, state: { depth: number; ifs: number; tokens: number }): string | undefined {
  if (++state.tokens > MAX_TOKENS) return `a policy has more than ${MAX_TOKENS} words and signs; split it`
  if (token === '(' || token === '[' || token === '{') state.depth++
  else if (token === ')' || token === ']' || token === '}') state.depth--
  else if (token === 'if') state.ifs++
  if (state.depth > MAX_DEPTH) return `brackets are nested more than ${MAX_DEPTH} deep`
  return state.ifs > MAX_IFS ? `a policy has more than ${MAX_IFS} ifs` : undefined
}

/** Pieces in the order of the file, without a last one that does not end; the syntax is still to be checked by Cedar. */
export function scanPolicies(text: string): { pieces: Piece[] } | { problem: ScanProblem } {
  const pieces: Piece[] = []
  const fresh = () => ({ depth: 0, ifs: 0, tokens: 0 })
  let state = fresh()
  let start = -1
  TOKEN.lastIndex = 0
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    const token = match[0]
    if (/^(?:\s|\/\/)/.test(token)) continue
    if (start < 0) start = match.index
    const problem = inspectToken(token, state)
    if (problem !== undefined) return { problem: { offset: match.index, message: problem } }
    if (token === ';') {
      pieces.push({ start, text: text.slice(start, match.index + 1) })
      start = -1
      state = fresh()
    }
  }
  return { pieces }
}

/** Line and column, both from 1, of an offset in UTF-16 units. */
export function positionAt(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset)
  const newline = before.lastIndexOf('\n')
  return { line: before.split('\n').length, column: before.length - newline }
}

/** Cedar counts UTF-8 bytes; editors and we don't. */
export function offsetOfByte(text: string, byte: number): number {
  return Buffer.from(text).subarray(0, byte).toString().length
}
