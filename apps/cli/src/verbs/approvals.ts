/** `ephor approvals`: what waits for a person, and people's votes. */
import type { Command } from 'commander'
import type { OperationResponse, approvalsOperations } from '@ephor/contract'
import type { CommonOptions, Connection } from '../connection.ts'
import { ago, block, facts, json, line, plain, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, paging, served, withPaging, withServer } from '../verb.ts'
import type { PagingOptions } from '../verb.ts'

type Detail = OperationResponse<typeof approvalsOperations.showApproval>

type Ask = Detail['asks'][number]

/** How far one ask is: `1 of 2 so far, needs: finance; cfo takes over at 2026-…`. */
function describeAsk({ by, quorum, group, escalate, escalated, until }: Ask): string {
  const from = group ?? 'anyone'
  if (by.length >= quorum) return `${by.length} of ${quorum}, answered`
  const next = escalate === undefined ? '' : `; ${escalate} takes over at ${until}`
  return `${by.length} of ${quorum} so far, needs: ${from}${escalated ? ' (passed on)' : ''}${next}`
}

/** What is still missing, in a cell of a table. */
const describeMissing = (asks: readonly Ask[]) =>
  asks
    .filter(({ by, quorum }) => by.length < quorum)
    .map(({ by, quorum, group }) => `${by.length} of ${quorum} ${group ?? 'anyone'}`)
    .join(', ')

function show(io: Io, approval: Detail): void {
  const now = Date.now()
  facts(io, [
    ['approval', approval.id],
    ['state', approval.state],
    ['tool', `${approval.server}/${approval.tool}`],
    ['agent', approval.agent],
    ['for', approval.requesters],
    ['opened', ago(approval.openedAt, now)],
    ['until', `${approval.expiresAt} (${ago(approval.expiresAt, now)})`],
    ['voted', approval.decidedBy],
    ['notes', approval.notes.map(({ by, text }) => `${by}: ${text}`)],
    ['used by', approval.spentBy],
    ['decision', approval.decision],
  ])
  line(io, 'why')
  for (const { text, policy } of approval.reasons) line(io, `  ${plain(text)} (${plain(policy)})`)
  line(io, 'needs')
  for (const ask of approval.asks) line(io, `  ${plain(describeAsk(ask))} (${plain(ask.policy)})`)
  line(io, 'arguments')
  line(io, block(approval.arguments))
}

async function decide(
  io: Io,
  { client }: Connection,
  options: CommonOptions & { note?: string },
  id: string,
  verdict: 'approve' | 'deny',
): Promise<void> {
  // The digest of what is shown goes along: nobody approves something else than what is there now.
  const { digest } = await client.showApproval({ params: { id } })
  const note = options.note === undefined ? {} : { note: options.note }
  const decided = await client.decideApproval({ params: { id }, body: { verdict, digest, ...note }, idempotencyKey: crypto.randomUUID() })
  if (options.json) return json(io, decided)
  if (verdict === 'deny') line(io, `Denied ${id}.`)
  else if (decided.state === 'pending')
    line(io, `Your vote on ${id} counts. Still needed: ${plain(describeMissing(decided.asks))}, until ${decided.expiresAt}.`)
  else line(io, `Approved ${id}: the agent can repeat the call until ${decided.expiresAt}.`)
}

export function addApprovals(program: Command, io: Io): void {
  const approvals = program.command('approvals').description('calls that wait for a person')

  const list = withPaging(withServer(approvals.command('list').description('list approvals, newest first')))
  list.option('--state <state>', 'pending, approved, denied, expired, spent or all', 'pending')
  list.action(
    served(io, async ({ client }, options: CommonOptions & PagingOptions & { state: string }) => {
      const state = options.state === 'all' ? {} : { state: options.state as Detail['state'] }
      const page = await client.listApprovals({ query: { ...paging(options), ...state } })
      if (options.json) return json(io, page)
      const now = Date.now()
      table(
        io,
        page.items,
        [
          ['id', ({ id }) => id],
          ['state', ({ state: at }) => at],
          ['until', ({ expiresAt }) => ago(expiresAt, now)],
          ['agent', ({ agent }) => agent],
          ['tool', ({ server, tool }) => `${server}/${tool}`],
          ['needs', ({ asks, state: at }) => (at === 'pending' ? describeMissing(asks) : '')],
          ['why', ({ reasons, summary }) => reasons[0]?.text ?? summary],
        ],
        'Nothing waits for a person.',
      )
    }),
  )
  examples(list, 'approvals list', 'approvals list --state all --json')

  const showing = withServer(
    approvals.command('show').argument('<id>', 'apr_…').description('show what is asked, with the exact arguments'),
  )
  showing.action(
    served(io, async ({ client }, options: CommonOptions, id: string) => {
      const approval = await client.showApproval({ params: { id } })
      if (options.json) json(io, approval)
      else show(io, approval)
    }),
  )

  for (const verdict of ['approve', 'deny'] as const) {
    const verb = withServer(
      approvals
        .command(verdict)
        .argument('<id>', 'apr_…')
        .description(verdict === 'approve' ? 'vote for letting this one call run' : 'refuse it, whoever else agreed'),
    )
    verb.option('--note <text>', verdict === 'approve' ? 'why, for the record' : 'why; the agent is shown it')
    verb.action(
      served(io, (connection, options: CommonOptions & { note?: string }, id: string) => decide(io, connection, options, id, verdict)),
    )
    examples(verb, `approvals ${verdict} apr_01kf… --note "${verdict === 'approve' ? 'agreed with finance' : 'use the archive folder'}"`)
  }
}
