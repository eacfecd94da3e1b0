/** Asks whether a class of requests has one of a kind. Yes only with a request that was evaluated, no only with a proof. */
import type { Namespace } from './make-encoder.ts'
import { readWitness, valuesOf } from './read-witness.ts'
import type { Examples } from './read-witness.ts'
import type { EncodedClass } from './request-classes.ts'
import { and, not, or } from './smt.ts'
import type { Solver } from './start-solver.ts'
import type { Outcome, Witness } from './types.ts'

/** A property of requests, for the solver and for the evaluator. */
export type Goal = { smt: string; holds: (outcome: Outcome, witness: Witness) => boolean }

export const satisfied = ({ policies }: EncodedClass, id: string): Goal => ({
  smt: policies.get(id)?.satisfied ?? 'false',
  holds: (outcome) => outcome.satisfied.has(id),
})
export const fails = ({ policies }: EncodedClass, id: string): Goal => ({
  smt: policies.get(id)?.fails ?? 'false',
  holds: (outcome) => outcome.failed.has(id),
})
export const all = (...goals: readonly Goal[]): Goal => ({
  smt: and(...goals.map(({ smt }) => smt)),
  holds: (...of) => goals.every(({ holds }) => holds(...of)),
})
export const any = (...goals: readonly Goal[]): Goal => ({
  smt: or(...goals.map(({ smt }) => smt)),
  holds: (...of) => goals.some(({ holds }) => holds(...of)),
})
export const none = (...goals: readonly Goal[]): Goal => ({
  smt: not(any(...goals).smt),
  holds: (...of) => !goals.some(({ holds }) => holds(...of)),
})

export type Shown = { witness: Witness; outcome: Outcome }
export type Verdict = { kind: 'none' } | ({ kind: 'shown' } & Shown) | { kind: 'unknown' }

export interface Prover {
  /** @param fresh leaves out requests that are known already */
  find(of: EncodedClass, goal: Goal, fresh?: boolean): Promise<Verdict>
  readonly work: { questions: number; reused: number }
}

export type ProverParts = {
  solver: Solver
  namespace: Namespace
  examples: Examples
  /** Evaluates every policy on a request; undefined when the request is not valid. */
  evaluate: (witness: Witness) => Outcome | undefined
}

export function makeProver({ solver, namespace, examples, evaluate }: ProverParts): Prover {
  const known = new Map<EncodedClass, Shown[]>()
  const work = { questions: 0, reused: 0 }

  function shownBy(of: EncodedClass, goal: Goal, model: string, parts: Omit<Parameters<typeof readWitness>[0], 'model' | 'encoder'>) {
    for (const witness of readWitness({ ...parts, encoder: of.encoder, model }, namespace, examples)) {
      const outcome = evaluate(witness)
      if (!outcome || !goal.holds(outcome, witness)) continue
      known.set(of, [...(known.get(of) ?? []), { witness, outcome }])
      return { kind: 'shown', witness, outcome } as const
    }
    return { kind: 'unknown' } as const
  }

  return {
    work,
    async find(of, goal, fresh = false) {
      const before = fresh ? undefined : known.get(of)?.find(({ outcome, witness }) => goal.holds(outcome, witness))
      if (before) {
        work.reused++
        return { kind: 'shown', ...before }
      }
      if (goal.smt === 'false') return { kind: 'none' }
      work.questions++
      const { text, unknowns, declared } = of.encoder.script(goal.smt)
      const asked = valuesOf(of.encoder, unknowns, declared)
      const script = `${text}\n(assert ${goal.smt})`
      const verdict = await solver.solve(script, asked)
      if (verdict.kind === 'impossible') return { kind: 'none' }
      return verdict.kind === 'unknown' ? verdict : shownBy(of, goal, verdict.model, { unknowns, asked, script })
    },
  }
}
