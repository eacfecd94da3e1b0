/** Budgets over HTTP: what the charter declares, and who used how much of it in this period. */
import { budgetsOperations, Fault } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate, Clock } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import { endOf, startOf } from './rules.ts'
import type { Budgets, Terms } from './types.ts'

/** A budget with what it covers, as the active charter says. */
export type DeclaredBudget = Terms & { covers: readonly string[]; agents?: readonly string[] | undefined }

/** Subjects that one answer shows; those that used most. */
const MAX_SUBJECTS = 200

export function mountBudgets(
  app: FastifyInstance,
  { budgets, declared, clock }: { budgets: Budgets; declared: () => readonly DeclaredBudget[]; clock: Clock },
  authenticate: Authenticate,
): void {
  async function viewOf({ budget, covers, agents, ...terms }: DeclaredBudget) {
    const now = clock.now()
    const start = startOf(terms.period, now)
    const uses = await budgets.list({ budget, ...terms }, now, MAX_SUBJECTS)
    return {
      name: budget,
      ...terms,
      covers: [...covers],
      ...(agents === undefined ? {} : { agents: [...agents] }),
      since: isoTime(start),
      frees: isoTime(endOf(terms.period, start)),
      uses: uses.map(({ subject, used }) => ({ subject, used, left: Math.max(0, terms.limit - used) })),
    }
  }
  mount(
    app,
    budgetsOperations,
    {
      async listBudgets() {
        return { items: await Promise.all(declared().map(viewOf)) }
      },
      async showBudget({ params }) {
        const found = declared().find(({ budget }) => budget === params.name)
        if (!found) throw new Fault('NOT_FOUND', 'the active charter has no budget of that name')
        return viewOf(found)
      },
    },
    authenticate,
  )
}
