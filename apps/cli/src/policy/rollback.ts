/** `ephor policy rollback`: ends the trial, or goes back to what was active before, at once and on record. */
import type { Command } from 'commander'
import type { CommonOptions } from '../connection.ts'
import { json, line } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

type Options = CommonOptions & { to?: string; why: string }

export function addRollback(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('rollback')
      .description('end the trial; without one, go back to the version that was active before')
      .option('--to <version>', 'to this version, which was active at some time')
      .option('--why <text>', 'for the record', 'by hand'),
  )
  verb.action(
    served(io, async ({ client }, options: Options) => {
      const body = { why: options.why, ...(options.to === undefined ? {} : { to: options.to }) }
      const done = await client.rollbackPolicy({ body, idempotencyKey: crypto.randomUUID() })
      if (options.json) return json(io, done)
      line(
        io,
        `${done.from ?? 'nothing'} decides nothing any more; ${done.to ?? 'nothing'} is active. This was recorded as a rollback without a review.`,
      )
    }),
  )
  examples(verb, 'policy rollback', 'policy rollback --why "refuses invoices"')
}
