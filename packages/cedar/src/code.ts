/** What an expression compiles to. */
import { EvaluationFailure, typeFailure } from './evaluation-failure.ts'
import type { Frame } from './frame.ts'
import type { Value } from './values.ts'

export type Run = (frame: Frame) => Value
export type Test = (frame: Frame) => boolean

/**
 * `test` is there where the expression can only be a boolean, `constant` where its value is known already, `path` where
 * it is a variable or what is below one, `unnoted` where `run` notes what it reads: the way to what is further below.
 */
export type Code = { run: Run; test?: Test; constant?: Value; path?: string; unnoted?: Run }

export function truth(test: Test): Code {
  return { run: test, test }
}

export function constant(value: Value): Code {
  const run: Run = () => value
  return typeof value === 'boolean' ? { run, test: run as Test, constant: value } : { run, constant: value }
}

/** Done now, since it always comes out the same. Its failure does too, but belongs to the decision. */
export function settled(make: () => Value): Code {
  try {
    return constant(make())
  } catch (failure) {
    if (!(failure instanceof EvaluationFailure)) throw failure
    return {
      run: () => {
        throw failure
      },
    }
  }
}

export function testOf({ run, test }: Code): Test {
  return (
    test ??
    ((frame) => {
      const value = run(frame)
      if (typeof value !== 'boolean') throw typeFailure('bool', value)
      return value
    })
  )
}
