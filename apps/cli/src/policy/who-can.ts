/** `ephor policy who-can`: what each agent's calls of an action come to. */
import type { Command } from 'commander'
import type { CommonOptions } from '../connection.ts'
import { json, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { standingColumns } from './standing-columns.ts'

type Options = CommonOptions & { on?: string }

export function addWhoCan(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('who-can')
      .argument('<action>', 'server/tool, one such as resources/read, or a group such as money')
      .description('list what each agent’s calls of an action come to')
      .option('--on <server>', 'only on this tool server'),
  )
  verb.action(
    served(io, async ({ client }, options: Options, action: string) => {
      const { on: server } = options
      const standings = await client.whoCan({ query: { action, ...(server === undefined ? {} : { server }) } })
      const { agent, action: what, server: where, calls, why: reason } = standingColumns
      if (options.json) json(io, standings)
      else table(io, standings.items, [agent, what, where, calls, reason], 'There is no agent.')
    }),
  )
  examples(verb, 'policy who-can files/move_file', 'policy who-can money', 'policy who-can resources/read --on files')
}
