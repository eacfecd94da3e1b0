/** `ephor policy review`: says yes or no to exactly the version that was seen. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { json } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { showProposal } from './proposal-text.ts'

type Options = CommonOptions & { approve?: boolean; reject?: boolean; note?: string }

export function addReview(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('review')
      .argument('<proposal>', 'prp_…')
      .description('approve or reject a proposal, as the charter lets you; without either, show it')
      .option('--approve', 'it may be published')
      .option('--reject', 'it may not, and ends')
      .option('--note <text>', 'why, for the record'),
  )
  verb.action(
    served(io, async ({ client }, options: Options, id: string) => {
      if (options.approve && options.reject) throw new Fault('REQUEST_INVALID', 'either --approve or --reject')
      let proposal = await client.showProposal({ params: { id } })
      if (options.approve || options.reject) {
        const verdict = options.approve ? ('approve' as const) : ('reject' as const)
        const note = options.note === undefined ? {} : { note: options.note }
        // The version of what was shown goes along: nobody approves something else than what is there now.
        const body = { verdict, version: proposal.version, ...note }
        proposal = await client.reviewProposal({ params: { id }, body, idempotencyKey: crypto.randomUUID() })
      }
      if (options.json) json(io, proposal)
      else showProposal(io, proposal)
    }),
  )
  examples(verb, 'policy review prp_01kf…', 'policy review prp_01kf… --approve --note "agreed with finance"')
}
