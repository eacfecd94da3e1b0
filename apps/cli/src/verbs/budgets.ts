/** `ephor budgets`: what the charter lets agents use, and what is used of it in this period. */
import type { Command } from 'commander'
import type { BudgetView } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { facts, json, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

const limitOf = ({ limit, unit, per, period }: BudgetView) => `${limit} ${unit} per ${per} and ${period}`

export function addBudgets(program: Command, io: Io): void {
  const budgets = program.command('budgets').description('what the charter lets agents use, and what is used of it')

  withServer(budgets.command('list').description('list the budgets with their use in this period')).action(
    served(io, async ({ client }, options: CommonOptions) => {
      const page = await client.listBudgets()
      if (options.json) return json(io, page)
      table(
        io,
        page.items,
        [
          ['name', ({ name }) => name],
          ['limit', limitOf],
          ['used most', ({ uses }) => uses[0] && `${uses[0].used} by ${uses[0].subject}`],
          ['frees', ({ frees }) => frees],
        ],
        'No budgets: declare them in charter.yaml.',
      )
    }),
  )

  const showing = withServer(
    budgets.command('show').argument('<name>').description('show one budget: what it covers, and who used how much'),
  )
  showing.action(
    served(io, async ({ client }, options: CommonOptions, name: string) => {
      const budget = await client.showBudget({ params: { name } })
      if (options.json) return json(io, budget)
      facts(io, [
        ['budget', budget.name],
        ['limit', limitOf(budget)],
        ['covers', budget.covers.join(', ')],
        ['agents', budget.agents?.join(', ')],
        ['since', budget.since],
        ['frees', budget.frees],
      ])
      table(
        io,
        budget.uses,
        [
          [budget.per, ({ subject }) => subject],
          ['used', ({ used }) => String(used)],
          ['left', ({ left }) => String(left)],
        ],
        'Nothing of it is used in this period.',
      )
    }),
  )
  examples(showing, 'budgets show payments')
}
