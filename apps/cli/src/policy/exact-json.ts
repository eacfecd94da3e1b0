/**
 * Reads JSON as strictly as the official Cedar engine does from a file, which JSON.parse would hide: an integer keeps all 64 bits,
 * other numbers, a key that stands twice and half a surrogate pair are refused.
 */

export type ExactJson = null | boolean | number | bigint | string | ExactJson[] | ExactObject
export type ExactObject = { [key: string]: ExactJson }

export function isObject(value: ExactJson | undefined): value is ExactObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What is wrong, and where in the text. */
export class JsonProblem extends Error {
  readonly offset: number

  constructor(message: string, offset: number) {
    super(`${message} (at character ${offset + 1})`)
    this.offset = offset
  }
}

/** As deep as the official engine reads. */
const MAX_DEPTH = 128
const MAX_LONG = 2n ** 63n - 1n
const MIN_LONG = -(2n ** 63n)
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const SPACE = /[ \t\n\r]*/y
const WORDS = { t: ['true', true], f: ['false', false], n: ['null', null] } as const

export class JsonReader {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  /** @throws JsonProblem */
  static parse(text: string): ExactJson {
    const reader = new JsonReader(text)
    const value = reader.value()
    reader.end()
    return value
  }

  /** Nothing but space is left. */
  end(): void {
    this.#space()
    if (this.#at < this.#text.length) this.#fail('something follows the value')
  }

  value(): ExactJson {
    this.#space()
    const first = this.#text[this.#at]
    if (first === '"') return this.#string()
    if (first === '{') {
      const object: ExactObject = {}
      this.object((key) => {
        if (Object.hasOwn(object, key)) this.#fail(`the key ${JSON.stringify(key.slice(0, 80))} stands twice`)
        // An assignment to __proto__ would change what the object is.
        if (key === '__proto__')
          Object.defineProperty(object, key, { value: this.value(), enumerable: true, configurable: true, writable: true })
        else object[key] = this.value()
      })
      return object
    }
    if (first === '[') return this.#array()
    if (first === 't' || first === 'f' || first === 'n') {
      const [word, value] = WORDS[first]
      if (!this.#text.startsWith(word, this.#at)) this.#fail('this is no JSON value')
      this.#at += word.length
      return value
    }
    return this.#number()
  }

  /** Hands over each key of an object, with the reader standing before the value that has to be read. */
  object(member: (key: string) => void): void {
    this.#enter('{')
    if (!this.#take('}')) {
      do {
        this.#space()
        if (this.#text[this.#at] !== '"') this.#fail('a key in quotes is missing')
        const key = this.#string()
        if (!this.#take(':')) this.#fail('a colon is missing')
        member(key)
      } while (this.#take(','))
      if (!this.#take('}')) this.#fail('a comma or } is missing')
    }
    this.#depth--
  }

  /** Passes over `known` where the next value is exactly that text. */
  passes(known: string): boolean {
    this.#space()
    const after = this.#text[this.#at + known.length] ?? ''
    // A number could go on after the known text; what else may follow a value ends it.
    if (known === '' || !/[\s,}\]]/.test(after) || !this.#text.startsWith(known, this.#at)) return false
    this.#at += known.length
    return true
  }

  /** The value as it stands in the text, once it has been read. */
  source(): { value: ExactJson; text: string } {
    this.#space()
    const start = this.#at
    const value = this.value()
    return { value, text: this.#text.slice(start, this.#at) }
  }

  #array(): ExactJson[] {
    const items: ExactJson[] = []
    this.#enter('[')
    if (!this.#take(']')) {
      do items.push(this.value())
      while (this.#take(','))
      if (!this.#take(']')) this.#fail('a comma or ] is missing')
    }
    this.#depth--
    return items
  }

  #number(): number | bigint {
    NUMBER.lastIndex = this.#at
    const match = NUMBER.exec(this.#text)?.[0]
    if (match === undefined) return this.#fail(this.#at < this.#text.length ? 'this is no JSON value' : 'the text ends too early')
    const value = Number(match)
    if (!Number.isInteger(value) || Object.is(value, -0) || /[.eE]/.test(match))
      this.#fail(`${match.slice(0, 40)} is not an integer, and Cedar has no other numbers`)
    this.#at += match.length
    if (Number.isSafeInteger(value)) return value
    const long = BigInt(match)
    return long <= MAX_LONG && long >= MIN_LONG ? long : this.#fail(`${match.slice(0, 40)} does not fit into 64 bits`)
  }

  #string(): string {
    const start = this.#at
    for (let at = start + 1; ; at++) {
      const code = this.#text.charCodeAt(at)
      if (code === 34) {
        this.#at = at + 1
        const raw = this.#text.slice(start, this.#at)
        const value = raw.includes('\\') ? this.#unescape(raw) : raw.slice(1, -1)
        return value.isWellFormed() ? value : this.#fail('a string contains half of a surrogate pair')
      }
      if (code === 92) at++
      // Past the end of the text, the code is NaN.
      else if (!(code >= 32)) this.#fail(at < this.#text.length ? 'a control character stands in a string' : 'a string does not end')
    }
  }

  #unescape(raw: string): string {
    try {
      return JSON.parse(raw) as string
    } catch {
      return this.#fail('a string has an escape that JSON does not know')
    }
  }

  #enter(bracket: '{' | '['): void {
    if (!this.#take(bracket)) this.#fail(`${bracket} is missing`)
    if (++this.#depth > MAX_DEPTH) this.#fail(`arrays and objects are nested more than ${MAX_DEPTH} deep`)
  }

  #take(sign: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== sign) return false
    this.#at++
    return true
  }

  #space(): void {
    if (this.#text.charCodeAt(this.#at) > 32) return
    SPACE.lastIndex = this.#at
    SPACE.exec(this.#text)
    this.#at = SPACE.lastIndex
  }

  #fail(message: string): never {
    throw new JsonProblem(message, this.#at)
  }
}
