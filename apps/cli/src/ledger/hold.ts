/** `ephor ledger hold`: what a legal hold covers is neither erased nor expires. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { facts, json, line, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

type PlaceOptions = CommonOptions & { subject?: string; since?: string; until?: string; everything?: boolean; reason: string }

function time(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw new Fault('REQUEST_INVALID', `--${name} is not a time such as 2026-01-31 or 2026-01-31T12:00:00Z`)
  return new Date(at).toISOString()
}

export function addHold(ledger: Command, io: Io): void {
  const hold = ledger.command('hold').description('legal holds: what they cover is neither erased nor expires')

  const placing = withServer(hold.command('place').description('place one'))
  placing
    .option('--subject <id>', 'only what belongs to this agent or person')
    .option('--since <time>', 'only what was sealed from then on')
    .option('--until <time>', 'only what was sealed until then')
    .option('--everything', 'all there is and all that comes')
    .requiredOption('--reason <text>', 'why; kept sealed')
  placing.action(
    served(io, async ({ client }, { subject, since, until, everything, reason, json: asJson }: PlaceOptions) => {
      if (subject === undefined && since === undefined && until === undefined && everything !== true)
        throw new Fault('REQUEST_INVALID', 'say what is held: --subject, --since, --until, or --everything')
      const [from, to] = [time('since', since), time('until', until)]
      const placed = await client.placeHold({
        body: {
          reason,
          ...(subject === undefined ? {} : { subject }),
          ...(from === undefined ? {} : { since: from }),
          ...(to === undefined ? {} : { until: to }),
        },
      })
      if (asJson) return json(io, placed)
      facts(io, [
        ['hold', placed.id],
        ['subject', placed.subject ?? 'everybody'],
        ['since', placed.since],
        ['until', placed.until],
      ])
    }),
  )
  examples(
    placing,
    'ledger hold place --subject agt_01kf… --reason "case 2026-114"',
    'ledger hold place --since 2026-03-01 --reason "incident 7"',
  )

  withServer(hold.command('release').argument('<id>', 'hld_…').description('release one')).action(
    served(io, async ({ client }, options: CommonOptions, id: string) => {
      const released = await client.releaseHold({ params: { id } })
      if (options.json) return json(io, released)
      line(io, `Released ${released.id}. What is past now expires with the next sweep.`)
    }),
  )

  withServer(hold.command('list').description('list those in force')).action(
    served(io, async ({ client }, options: CommonOptions) => {
      const page = await client.listHolds()
      if (options.json) return json(io, page)
      table(
        io,
        page.items,
        [
          ['id', ({ id }) => id],
          ['subject', ({ subject }) => subject ?? 'everybody'],
          ['since', ({ since }) => since],
          ['until', ({ until }) => until],
          ['by', ({ placedBy }) => placedBy],
          ['reason', ({ reason }) => reason],
        ],
        'No holds: what is erased is erased, and what is past expires.',
      )
    }),
  )
}
