/** `ephor policy what-can`: what an agent's calls of each action come to. */
import type { Command } from 'commander'
import type { CommonOptions } from '../connection.ts'
import { json, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { standingColumns } from './standing-columns.ts'

export function addWhatCan(policy: Command, io: Io): void {
  const verb = withServer(
    policy.command('what-can').argument('<agent>', 'by name or id').description('list what an agent’s calls of each action come to'),
  )
  verb.action(
    served(io, async ({ client }, options: CommonOptions, agent: string) => {
      const standings = await client.whatCan({ query: { agent } })
      const { action, server, calls, why: reason } = standingColumns
      if (options.json) json(io, standings)
      else table(io, standings.items, [action, server, calls, reason], 'There is no tool.')
    }),
  )
  examples(verb, 'policy what-can assistant')
}
