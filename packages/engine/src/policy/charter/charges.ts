/** Which of the charter's budgets a call counts against, and how much of each it takes before it runs. */
import type { JsonObject } from '@ephor/engine/kernel'
import type { Charter } from './charter.ts'
import type { Amount } from './read-amount.ts'
import { namesAgent } from './mode.ts'
import type { Actor } from './mode.ts'

/** What a call takes from a budget. */
export type Charge = {
  /** The budget's name in the charter. */
  budget: string
  per: 'agent' | 'session' | 'person'
  period: 'hour' | 'day' | 'week'
  /** What is counted: `calls`, `bytes`, `tokens`, or a currency, whose minor units are. */
  unit: string
  limit: number
  /** Taken when the call is permitted. */
  amount: number
  /** Of `amount`, what is certain: the rest is a reserve that the outcome replaces by what was used. Absent: all is. */
  certain?: number
}

/** A budget as it applies to a call, before it is known how much the call takes. */
export type BudgetTerms = Omit<Charge, 'amount' | 'certain'>

type Budget = Charter['budgets'][string]

const unitOf = (budget: Budget) => (budget.measure === 'money' ? budget.currency : budget.measure)

function covering({ budgets }: Charter, actor: Actor): [string, Budget][] {
  return Object.entries(budgets).filter(
    ([, { covers, agents }]) => namesAgent(agents, actor) && covers.some((one) => actor.actions.has(one)),
  )
}

const termsOf = (name: string, budget: Budget): BudgetTerms => {
  const { per, period, limit } = budget
  return { budget: name, per, period, unit: unitOf(budget), limit }
}

export function budgetsOf(charter: Charter, actor: Actor): BudgetTerms[] {
  return covering(charter, actor).map(([name, budget]) => termsOf(name, budget))
}

/** Every budget with what it covers, for people. */
export function declaredBudgets({ budgets }: Charter): (BudgetTerms & Pick<Budget, 'covers' | 'agents'>)[] {
  return Object.entries(budgets).map(([name, budget]) => ({ ...termsOf(name, budget), covers: budget.covers, agents: budget.agents }))
}

/** @returns what the call takes of each budget, or one sentence on why that can't be said: then it must not run */
export function chargesOf(
  charter: Charter,
  actor: Actor,
  { input, amount }: { input: JsonObject; amount: Amount | undefined },
): Charge[] | string {
  const budgets = covering(charter, actor)
  const money = budgets.filter(([, { measure }]) => measure === 'money')
  if (money.length > 0 && !amount)
    return `the budget ${money[0]?.[0]} counts money, and the charter does not say where the amount of this tool stands`
  if (money.length > 0 && !money.some(([, budget]) => unitOf(budget) === amount?.currency))
    return `the budget ${money[0]?.[0]} counts another currency than that of this call`
  const charges = budgets.map(([name, budget]): Charge | undefined => {
    const terms = termsOf(name, budget)
    if (budget.measure === 'calls') return { ...terms, amount: 1 }
    if (budget.measure === 'tokens') return { ...terms, amount: budget.reserve, certain: 0 }
    if (budget.measure === 'money') return amount?.currency === budget.currency ? { ...terms, amount: amount.value } : undefined
    const certain = Buffer.byteLength(JSON.stringify(input))
    return { ...terms, amount: certain + budget.reserve, certain }
  })
  return charges.filter((charge) => charge !== undefined)
}
