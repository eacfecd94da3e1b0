/** One expression of Cedar's JSON form to closures. What can fail at run time fails there, as the official engine does. */
import { attributeOf, hasAttribute } from './attributes.ts'
import { CedarError, LIMITS } from './cedar-error.ts'
import { constant, settled, testOf, truth } from './code.ts'
import type { Code, Run, Test } from './code.ts'
import { field, list, malformed, object, optional, soleEntry, text } from './expr-shape.ts'
import { EXTENSION_FUNCTIONS, callExtension } from './extensions.ts'
import type { ExprJson } from './json.ts'
import { arithmetic, compareLess, containsOperator, isEmpty, isIn, isOperator, likeOperator, tagOperator } from './operators.ts'
import { compilePattern } from './pattern.ts'
import type { PatternJson } from './pattern.ts'
import { readValue } from './read-values.ts'
import type { SharedTests, Sized } from './shared-tests.ts'
import { CedarSet, EntityRef, MapRecord, equal } from './values.ts'
import type { Value } from './values.ts'

class ExprCompiler {
  /** Expressions so far: what a run costs at most, sets and texts aside. */
  size = 0
  readonly #shared: SharedTests | undefined
  #depth = 0

  /** @param shared absent for explanations, which note what is read in the frame */
  constructor(shared: SharedTests | undefined) {
    this.#shared = shared
  }

  test(json: unknown): Test {
    if (!this.#shared) return testOf(this.compile(json))
    const before = this.size
    const { test, size } = this.#shared.of(json, () => {
      const made = testOf(this.compile(json))
      return { test: made, size: this.size - before }
    })
    this.size = before
    this.#grow(size)
    return test
  }

  compile(json: unknown): Code {
    if (++this.size > LIMITS.policySize)
      throw new CedarError('POLICY_TOO_LARGE', `A policy has more than ${LIMITS.policySize} expressions.`)
    if (++this.#depth > LIMITS.policyDepth)
      throw new CedarError('POLICY_TOO_DEEP', `A policy nests deeper than ${LIMITS.policyDepth} levels.`)
    const [operator, body] = soleEntry(json)
    const code = this.#operator(operator, body)
    this.#depth--
    return code
  }

  #operator(operator: string, body: unknown): Code {
    switch (operator) {
      case 'Value':
        return constant(readValue(body))
      case 'Var':
        return variable(body)
      case '&&':
      case '||':
        return this.#chain(operator, body)
      case '!': {
        const arg = this.test(field(body, 'arg'))
        return truth((frame) => !arg(frame))
      }
      case 'neg':
      case '+':
      case '-':
      case '*':
        return arithmetic(operator, operator === 'neg' ? [this.#at(body, 'arg')] : [this.#at(body, 'left'), this.#at(body, 'right')])
      case '==':
      case '!=':
        return this.#equality(operator === '==', body)
      case '<':
      case '<=':
      case '>':
      case '>=':
        return compareLess(operator, this.#at(body, 'left'), this.#at(body, 'right'))
      case 'in':
        return isIn(this.#at(body, 'left'), this.#at(body, 'right'))
      case 'is':
        return this.#is(body)
      case 'like':
        return likeOperator(this.#at(body, 'left'), compilePattern(field(body, 'pattern') as PatternJson))
      case 'contains':
      case 'containsAll':
      case 'containsAny':
        return containsOperator(operator, this.#at(body, 'left'), this.#at(body, 'right'))
      case 'isEmpty':
        return isEmpty(this.#at(body, 'arg'))
      case 'hasTag':
      case 'getTag':
        return this.#tag(operator, this.#at(body, 'left'), this.#at(body, 'right'))
      case '.':
        return this.#attribute(this.#at(body, 'left'), text(field(body, 'attr')))
      case 'has':
        return this.#has(body)
      case 'if-then-else':
        return this.#conditional(body)
      case 'Set':
        return this.#set(body)
      case 'Record':
        return this.#record(body)
      default:
        return this.#call(operator, body)
    }
  }

  #grow(by: number): void {
    this.size += by
    if (this.size > LIMITS.policySize) throw new CedarError('POLICY_TOO_LARGE', `A policy has more than ${LIMITS.policySize} expressions.`)
  }

  #at(body: unknown, name: string): Code {
    return this.compile(field(body, name))
  }

  /** A long chain is a list, not a tower: a thousand alternatives are no deep nesting. */
  #chain(operator: '&&' | '||', body: unknown): Code {
    const rights: unknown[] = []
    let left: unknown = body
    for (;;) {
      rights.push(field(left, 'right'))
      const next = field(left, 'left')
      const inner = soleEntry(next)
      if (inner[0] !== operator) {
        rights.push(next)
        break
      }
      left = inner[1]
    }
    const tests = rights.reverse().map((json) => this.test(json))
    const stop = operator === '||'
    const [a, b, c] = tests as [Test, Test, Test?]
    if (!c) return truth(stop ? (frame) => a(frame) || b(frame) : (frame) => a(frame) && b(frame))
    if (tests.length === 3) return truth(stop ? (frame) => a(frame) || b(frame) || c(frame) : (frame) => a(frame) && b(frame) && c(frame))
    return truth((frame) => {
      for (const test of tests) if (test(frame) === stop) return stop
      return !stop
    })
  }

  #equality(positive: boolean, body: unknown): Code {
    const [left, right] = [this.#at(body, 'left'), this.#at(body, 'right')]
    const [a, b] = [left.run, right.run]
    const fixed = right.constant
    if (fixed !== undefined && typeof fixed !== 'object') return truth((frame) => (a(frame) === fixed) === positive)
    if (fixed instanceof EntityRef) {
      return truth((frame) => {
        const value = a(frame)
        return (value instanceof EntityRef && value.key === fixed.key) === positive
      })
    }
    return truth((frame) => {
      const one = a(frame)
      const other = b(frame)
      frame.chargeFor(one)
      return equal(one, other) === positive
    })
  }

  #is(body: unknown): Code {
    const left = this.#at(body, 'left')
    const is = isOperator(left, text(field(body, 'entity_type')))
    const within = optional(body, 'in')
    if (within === undefined) return is
    const [inType, inEntity] = [testOf(is), testOf(isIn(left, this.compile(within)))]
    return truth((frame) => inType(frame) && inEntity(frame))
  }

  #tag(operator: 'hasTag' | 'getTag', left: Code, right: Code): Code {
    const { constant: name } = right
    const path = left.path === undefined || typeof name !== 'string' ? undefined : `${left.path}.${operator}(${JSON.stringify(name)})`
    return this.#note(tagOperator(operator, left, right), path)
  }

  #attribute(left: Code, name: string): Code {
    const path = left.path === undefined ? undefined : `${left.path}${step(name)}`
    const from = left.unnoted ?? left.run
    const run: Run =
      left.path === 'context' ? (frame) => attributeOf(frame, frame.context, name) : (frame) => attributeOf(frame, from(frame), name)
    return this.#note({ run, ...(path !== undefined && { path }) }, path)
  }

  /** `has a.b.c` asks at each level, and stops at the first that is not there. */
  #has(body: unknown): Code {
    const attr = field(body, 'attr')
    const names = Array.isArray(attr) ? attr.map(text) : [text(attr)]
    if (names.length === 0) throw malformed('`has` needs an attribute')
    this.#grow(names.length)
    const left = this.#at(body, 'left')
    const tests: Test[] = []
    let from = left
    for (const name of names) {
      const { path } = from
      const run = from.unnoted ?? from.run
      const there: Test = (frame) => hasAttribute(frame, run(frame), name)
      tests.push(testOf(this.#note(truth(there), path === undefined ? undefined : `${path} has ${name}`)))
      from = this.#attribute(from, name)
    }
    const [only] = tests as [Test]
    return truth(tests.length === 1 ? only : (frame) => tests.every((test) => test(frame)))
  }

  #conditional(body: unknown): Code {
    const test = this.test(field(body, 'if'))
    const [yes, no] = [this.#at(body, 'then'), this.#at(body, 'else')]
    const run: Run = (frame) => (test(frame) ? yes.run(frame) : no.run(frame))
    if (!yes.test || !no.test) return { run }
    const [whenTrue, whenFalse] = [yes.test, no.test]
    return truth((frame) => (test(frame) ? whenTrue(frame) : whenFalse(frame)))
  }

  #set(body: unknown): Code {
    const elements = list(body).map((json) => this.compile(json))
    const fixed = constants(elements)
    if (fixed) return constant(new CedarSet(fixed))
    const runs = elements.map(({ run }) => run)
    return {
      run: (frame) => {
        const set = new CedarSet(runs.map((run) => run(frame)))
        frame.charge(set.weight)
        return set
      },
    }
  }

  #record(body: unknown): Code {
    const entries = Object.entries(object(body)).map(([name, json]) => [name, this.compile(json)] as const)
    const fixed = constants(entries.map(([, code]) => code))
    if (fixed) return constant(new MapRecord(new Map(entries.map(([name], i) => [name, fixed[i] as Value]))))
    const runs = entries.map(([name, { run }]) => [name, run] as const)
    return { run: (frame) => new MapRecord(new Map(runs.map(([name, run]) => [name, run(frame)]))) }
  }

  #call(name: string, body: unknown): Code {
    const fn = EXTENSION_FUNCTIONS.get(name)
    if (!fn) throw malformed(`there is no operator or function \`${name}\``)
    const args = list(body).map((json) => this.compile(json))
    const fixed = constants(args)
    if (fixed) return settled(() => callExtension(name, fn, fixed))
    const runs = args.map(({ run }) => run)
    const run: Run = (frame) =>
      callExtension(
        name,
        fn,
        runs.map((arg) => arg(frame)),
      )
    return fn.gives === 'bool' ? { run, test: run as Test } : { run }
  }

  #note(code: Code, path: string | undefined): Code {
    if (this.#shared || path === undefined) return code
    const { run } = code
    const noted: Run = (frame) => {
      const at = frame.reads.push({ path, value: undefined }) - 1
      const value = run(frame)
      frame.reads[at] = { path, value }
      return value
    }
    return { ...code, run: noted, unnoted: run, ...(code.test && { test: noted as Test }) }
  }
}

function variable(name: unknown): Code {
  switch (name) {
    case 'principal':
      return { run: (frame) => frame.principal, path: name }
    case 'action':
      return { run: (frame) => frame.action, path: name }
    case 'resource':
      return { run: (frame) => frame.resource, path: name }
    case 'context':
      return { run: (frame) => frame.context, path: name }
    default:
      throw malformed(`there is no variable \`${String(name)}\``)
  }
}

const step = (name: string) => (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`)

function constants(codes: readonly Code[]): Value[] | undefined {
  const values = codes.map(({ constant: value }) => value)
  return values.every((value) => value !== undefined) ? values : undefined
}

export function compileExpr(json: ExprJson, shared?: SharedTests): Sized {
  const compiler = new ExprCompiler(shared)
  const test = compiler.test(json)
  return { test, size: compiler.size }
}
