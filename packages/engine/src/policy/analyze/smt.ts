/** The solver's language: terms folded while they are written, literals, patterns, and the values that it answers with. */

/** @param operands true when there are none */
export function and(...operands: readonly string[]): string {
  const rest = [...new Set(operands)].filter((one) => one !== 'true')
  if (rest.includes('false')) return 'false'
  return rest.length > 1 ? `(and ${rest.join(' ')})` : (rest[0] ?? 'true')
}

/** @param operands false when there are none */
export function or(...operands: readonly string[]): string {
  const rest = [...new Set(operands)].filter((one) => one !== 'false')
  if (rest.includes('true')) return 'true'
  return rest.length > 1 ? `(or ${rest.join(' ')})` : (rest[0] ?? 'false')
}

export function not(one: string): string {
  if (one === 'true') return 'false'
  return one === 'false' ? 'true' : `(not ${one})`
}

export function ite(test: string, yes: string, no: string): string {
  if (test === 'true' || yes === no) return yes
  return test === 'false' ? no : `(ite ${test} ${yes} ${no})`
}

const isLiteral = (term: string) => /^(?:"|-?\d|\(- \d|true$|false$)/.test(term)

export function eq(left: string, right: string): string {
  if (left === right) return 'true'
  return isLiteral(left) && isLiteral(right) ? 'false' : `(= ${left} ${right})`
}

export const long = (value: bigint | number): string => (value < 0 ? `(- ${-BigInt(value)})` : String(value))

/** The solver's characters end here; a text beyond is not written but stood for. */
const MAX_CODE_POINT = 0x2ffff

/** @returns undefined for a text that the solver has no characters for */
export function text(value: string): string | undefined {
  let written = ''
  for (const char of value) {
    const code = char.codePointAt(0) ?? 0
    if (code > MAX_CODE_POINT) return undefined
    if (char === '"') written += '""'
    else written += code < 32 || code > 126 || char === '\\' ? `\\u{${code.toString(16)}}` : char
  }
  return `"${written}"`
}

export type PatternPart = 'Wildcard' | { Literal: string }

/** `like`: prefix, suffix or part where that says it all, a regular expression otherwise. */
export function like(term: string, pattern: readonly PatternPart[]): string | undefined {
  const pieces: string[] = ['']
  for (const part of pattern) {
    if (part === 'Wildcard') pieces.push('')
    else pieces.push((pieces.pop() ?? '') + part.Literal)
  }
  const written: string[] = []
  for (const piece of pieces) {
    const literal = text(piece)
    if (literal === undefined) return undefined
    written.push(literal)
  }
  const [first = '""', last = '""', inner] = [written[0], written.at(-1), written.slice(1, -1).filter((piece) => piece !== '""')]
  if (pieces.length === 1) return eq(term, first)
  const ends = [first === '""' ? 'true' : `(str.prefixof ${first} ${term})`, last === '""' ? 'true' : `(str.suffixof ${last} ${term})`]
  if (inner.length === 0 && (first === '""' || last === '""')) return and(...ends)
  if (inner.length === 1 && first === '""' && last === '""') return `(str.contains ${term} ${inner[0]})`
  const middle = inner.map((piece) => `(str.to_re ${piece}) re.all`)
  return `(str.in_re ${term} (re.++ (str.to_re ${first}) re.all ${middle.join(' ')} (str.to_re ${last})))`
}

export type Tree = string | readonly Tree[]

/** Reads one answer; an atom keeps its quotes. */
export function readTree(source: string): Tree {
  const tokens = source.matchAll(/[()]|"(?:[^"]|"")*"|[^\s()"]+/g)
  const stack: Tree[][] = [[]]
  for (const [token] of tokens) {
    if (token === '(') stack.push([])
    else if (token === ')') {
      const done = stack.pop() ?? []
      stack.at(-1)?.push(done)
    } else stack.at(-1)?.push(token)
  }
  return stack[0]?.[0] ?? []
}

/** @returns a boolean, an integer, or a text; undefined for anything else, also for half of a surrogate pair */
export function readScalar(tree: Tree): boolean | bigint | string | undefined {
  if (typeof tree !== 'string') {
    const [sign, number] = tree
    return sign === '-' && typeof number === 'string' && /^\d+$/.test(number) ? -BigInt(number) : undefined
  }
  if (tree === 'true' || tree === 'false') return tree === 'true'
  if (/^\d+$/.test(tree)) return BigInt(tree)
  if (!tree.startsWith('"')) return undefined
  const value = tree
    .slice(1, -1)
    .replaceAll('""', '"')
    .replaceAll(/\\u(?:\{([0-9a-f]+)\}|([0-9a-f]{4}))/gi, (_, braced: string, plain: string) =>
      String.fromCodePoint(Number.parseInt(braced ?? plain, 16)),
    )
  return value.isWellFormed() ? value : undefined
}

/** The members of a set as the solver writes it; undefined when they can't be told. */
export function readSet(tree: Tree): (boolean | bigint | string)[] | undefined {
  if (typeof tree === 'string') return undefined
  const [head, inner, key, value] = tree
  if (Array.isArray(head)) return inner === 'false' ? [] : undefined
  if (head !== 'store' || inner === undefined || key === undefined || typeof value !== 'string') return undefined
  const rest = readSet(inner)
  const member = readScalar(key)
  if (!rest || member === undefined) return undefined
  const others = rest.filter((one) => one !== member)
  return value === 'true' ? [...others, member] : others
}
