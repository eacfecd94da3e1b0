/** `ephor policy proposals`: what was proposed, and one proposal with all that a reviewer needs. */
import type { Command } from 'commander'
import type { ProposalState } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { ago, json, line, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, paging, served, withPaging, withServer } from '../verb.ts'
import type { PagingOptions } from '../verb.ts'
import { short, showProposal, stateText } from './proposal-text.ts'

type Options = CommonOptions & PagingOptions & { state?: string; text?: boolean }

export function addProposals(policy: Command, io: Io): void {
  const verb = withPaging(
    withServer(
      policy
        .command('proposals')
        .argument('[proposal]', 'prp_…: shows this one')
        .description('list proposals, newest first, or show one')
        .option('--state <state>', 'open, approved, rejected, shadow, canary, promoted, rolled-back or withdrawn')
        .option('--text', 'the changed texts, before and after'),
    ),
  )
  verb.action(
    served(io, async ({ client }, options: Options, id?: string) => {
      if (id !== undefined) {
        const proposal = await client.showProposal({ params: { id } })
        if (options.json) return json(io, proposal)
        showProposal(io, proposal)
        if (options.text) for (const { name, before, after } of proposal.files) line(io, `--- ${name}\n${before}+++ ${name}\n${after}`)
        return
      }
      const state = options.state === undefined ? {} : { state: options.state as ProposalState }
      const page = await client.listProposals({ query: { ...paging(options), ...state } })
      if (options.json) return json(io, page)
      const now = Date.now()
      table(
        io,
        page.items,
        [
          ['id', (one) => one.id],
          ['state', stateText],
          ['opened', ({ openedAt }) => ago(openedAt, now)],
          ['by', ({ author }) => author],
          ['changes', ({ changes }) => changes],
          ['version', ({ version }) => short(version)],
        ],
        'Nothing was proposed.',
      )
    }),
  )
  examples(verb, 'policy proposals --state open', 'policy proposals prp_01kf… --text')
}
