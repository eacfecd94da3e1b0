/** `ephor decisions`: what was asked, how it was decided and why, and what came of it. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { decisionsOperations, OperationResponse } from '@ephor/contract'
import { readEvents } from '@ephor/sdk'
import type { CommonOptions, Connection } from '../connection.ts'
import { filtersOf, showEntries, withFilters } from '../ledger/filters.ts'
import type { FilterOptions } from '../ledger/filters.ts'
import { describeDecision, whyOf } from '../describe-decision.ts'
import { ago, block, facts, json, line, plain, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, paging, served, withPaging, withServer } from '../verb.ts'
import type { PagingOptions } from '../verb.ts'

/** Filters that the list of decisions has by itself. */
const OWN = ['effect', 'agent', 'server'] as const
type Own = (typeof OWN)[number]
type Detail = OperationResponse<typeof decisionsOperations.showDecision>
type ListOptions = CommonOptions & PagingOptions & Omit<FilterOptions, Own> & { [K in Own]?: string } & { effect?: Detail['effect'] }

function show(io: Io, decision: Detail): void {
  facts(io, [
    ['decision', decision.id],
    ['effect', decision.effect],
    ['fault', decision.fault],
    ['detail', decision.fault === 'POLICY_DENIED' && decision.reasons.length > 0 ? undefined : decision.detail],
    ['at', decision.at],
    ['agent', decision.agent],
    ['action', `${decision.method} ${decision.server}${decision.tool === undefined ? '' : `/${decision.tool}`}`],
    ['kind, risk', decision.kind && `${decision.kind}, ${decision.risk ?? '-'}`],
    ['door', decision.door],
    ['session', decision.session],
    ['approval', decision.approval],
    ['outcome', decision.outcome && `${decision.outcome} at ${decision.outcomeAt ?? '-'}`],
    ['policy', decision.policy],
    ['digest', decision.digest],
    ['ledger', `entry ${decision.receipt.seq}, leaf ${decision.receipt.leafHash.slice(0, 16)}… of ${decision.receipt.origin}`],
  ])
  if (decision.riskScore) {
    const { score, tier, parts } = decision.riskScore
    line(io, `risk\n  ${score}, ${tier}`)
    for (const { term, points, because } of parts) line(io, `  ${String(points).padStart(5)}  ${plain(term)}: ${plain(because)}`)
  }
  for (const { budget, unit, amount } of decision.budgets ?? []) line(io, `budget\n  ${plain(budget)}: ${amount} ${plain(unit)}`)
  line(io, 'why')
  for (const { text, policy } of decision.reasons) line(io, `  ${plain(text)} (${plain(policy)})`)
  for (const { policy, ...obligation } of decision.obligations)
    line(io, `obligation\n  ${plain(JSON.stringify(obligation))} (${plain(policy)})`)
  if (decision.input !== undefined) line(io, `arguments\n${block(decision.input)}`)
  if (decision.result !== undefined) line(io, `result\n${block(decision.result)}`)
}

/** With filters that the list does not have, the ledger is asked. */
async function search(io: Io, client: Connection['client'], options: ListOptions): Promise<void> {
  const query = { ...filtersOf(options), ...paging(options), type: 'decision' }
  const page = await client.searchLedger({ query })
  if (options.json) return json(io, page)
  showEntries(io, page.items)
  if (page.next) io.stderr.write(`More: --cursor ${page.next}\n`)
}

async function tail(io: Io, { client, options: server }: Connection, options: CommonOptions): Promise<void> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  if (!options.json) io.stderr.write('Waiting for decisions; Ctrl-C ends it.\n')
  for await (const event of readEvents(server, { types: ['decision', 'outcome'], signal: stop.signal })) {
    if (options.json) {
      io.stdout.write(`${JSON.stringify(event)}\n`)
      continue
    }
    const id = typeof event.body['id'] === 'string' ? (event.body['id'].split('/')[0] ?? '') : ''
    const decision = await client.showDecision({ params: { id } }).catch(() => undefined)
    // A permit is shown once more when it ended; a decision that has nothing to run, once.
    if (decision)
      line(io, describeDecision(event.type === 'decision' ? { ...decision, outcome: undefined } : decision, io.stdout.isTTY === true))
  }
}

export function addDecisions(program: Command, io: Io): void {
  const decisions = program.command('decisions').description('what was decided, why, and what came of it')

  const list = withPaging(withServer(decisions.command('list').description('list decisions, newest first')))
  list
    .option('--effect <effect>', 'permit, hold or deny')
    .option('--agent <id>', 'of this agent')
    .option('--server <name>', 'on this tool server')
  withFilters(list, [...OWN, 'type'])
  list.action(
    served(io, async ({ client }, options: ListOptions) => {
      const { effect, agent, server } = options
      if (Object.keys(filtersOf(options)).some((name) => !OWN.some((own) => own === name))) return search(io, client, options)
      const page = await client.listDecisions({
        query: { ...paging(options), ...(effect && { effect }), ...(agent && { agent }), ...(server && { server }) },
      })
      if (options.json) return json(io, page)
      const now = Date.now()
      table(
        io,
        page.items,
        [
          ['id', ({ id }) => id],
          ['when', ({ at }) => ago(at, now)],
          ['effect', (row) => row.effect],
          ['outcome', ({ outcome }) => outcome],
          ['agent', (row) => row.agent],
          ['action', (row) => (row.tool === undefined ? `${row.server} ${row.method}` : `${row.server}/${row.tool}`)],
          ['why', whyOf],
        ],
        'Nothing was decided yet.',
      )
      if (page.next) io.stderr.write(`More: --cursor ${page.next}\n`)
    }),
  )
  examples(
    list,
    'decisions list --effect deny',
    'decisions list --tool write_file --text "outside folder" --since 7d',
    'decisions list --agent agt_01kf… --limit 500 --json',
  )

  const showing = withServer(
    decisions.command('show').argument('<id>', 'dec_…').description('show one decision with arguments, reasons, receipt, outcome'),
  )
  showing.action(
    served(io, async ({ client }, options: CommonOptions, id: string) => {
      const decision = await client.showDecision({ params: { id } })
      if (options.json) json(io, decision)
      else show(io, decision)
    }),
  )

  const reporting = withServer(
    decisions
      .command('report')
      .argument('<id>', 'dec_… that was permitted')
      .description('put on record whether what was permitted did harm')
      .option('--harmful [note]', 'it did; what happened, kept encrypted')
      .option('--harmless', 'it did not: takes back what you said before'),
  )
  reporting.action(
    served(io, async ({ client }, options: CommonOptions & { harmful?: string | true; harmless?: boolean }, id: string) => {
      const { harmful, harmless = false } = options
      if ((harmful !== undefined) === harmless) throw new Fault('REQUEST_INVALID', 'say one of --harmful and --harmless')
      const body = { harmful: !harmless, ...(typeof harmful === 'string' && { note: harmful }) }
      const report = await client.reportDecision({ params: { id }, body, idempotencyKey: crypto.randomUUID() })
      if (options.json) json(io, report)
      else line(io, `On record as ${harmless ? 'harmless' : 'harmful'}, entry ${report.receipt.seq}.`)
    }),
  )
  examples(reporting, 'decisions report dec_01kf… --harmful "It overwrote the shared calendar."')

  const reviewing = withServer(
    decisions
      .command('reviews')
      .description('list permits that were sampled for a look afterwards; report on one to end its review')
      .option('--since <time>', 'RFC 3339; 30 days ago unless said'),
  )
  reviewing.action(
    served(io, async ({ client }, options: CommonOptions & { since?: string }) => {
      const reviews = await client.listReviews({ query: options.since === undefined ? {} : { since: options.since } })
      if (options.json) return json(io, reviews)
      table(
        io,
        reviews.due,
        [
          ['decision', ({ decision }) => decision],
          ['at', ({ at }) => at],
          ['agent', ({ agent }) => agent],
          ['action', ({ action }) => action],
          ['sampled by', ({ policy, percent }) => `${policy} (${percent}%)`],
        ],
        'No review is due.',
      )
      if (reviews.more > 0) line(io, `and ${reviews.more} more`)
      if (reviews.due.length > 0) line(io, 'Look with ephor decisions show, then ephor decisions report ID --harmless or --harmful.')
    }),
  )
  examples(reviewing, 'decisions reviews', 'decisions reviews --since 2026-11-01T00:00:00Z --json')

  const tailing = withServer(decisions.command('tail').description('show decisions as they are made'))
  tailing.action(served(io, (connection, options: CommonOptions) => tail(io, connection, options)))
  examples(tailing, 'decisions tail', 'decisions tail --json | jq .body.effect')
}
