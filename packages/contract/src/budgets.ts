/** Budgets on the wire: what the charter declares, and what is used of it in this period. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

export const BudgetView = z.object({
  name: z.string(),
  unit: z.string().describe('`calls`, `bytes`, `tokens`, or a currency, whose minor units are counted.'),
  per: z.enum(['agent', 'session', 'person']),
  period: z.enum(['hour', 'day', 'week']),
  limit: z.number().int(),
  covers: z.array(z.string()).describe('Tools, kinds and risk classes.'),
  agents: z.array(z.string()).optional().describe('Only calls of these; of all agents when absent.'),
  since: z.iso.datetime().describe('When this period began.'),
  frees: z.iso.datetime().describe('When the next begins.'),
  uses: z
    .array(
      z.object({
        subject: z.string().describe('An agent, a person, or the digest of a session.'),
        used: z.number().int(),
        left: z.number().int(),
      }),
    )
    .describe('Who used most, at most 200.'),
})
export type BudgetView = z.output<typeof BudgetView>

export const budgetsOperations = {
  listBudgets: {
    method: 'GET',
    path: '/v1/budgets',
    summary: 'Lists the budgets of the active charter with their use in this period',
    tag: 'budgets',
    who: 'person',
    response: z.object({ items: z.array(BudgetView) }),
  },
  showBudget: {
    method: 'GET',
    path: '/v1/budgets/{name}',
    summary: 'Shows one budget with its use in this period',
    tag: 'budgets',
    who: 'person',
    params: z.object({ name: z.string().max(40) }),
    response: BudgetView,
  },
} satisfies Operations
