/** `ephor ledger sinks`: where the systems are that the ledger is sent to, and sending again. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { SinkView } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { ago, json, line, plain, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

const STATES = { on: 'on', off: 'off: its receiver is gone', unset: 'not in the settings' } as const

const stateOf = ({ state, failures }: SinkView) => (state === 'on' && failures > 0 ? `failing, ${failures} times` : STATES[state])

function parseSeq(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Fault('REQUEST_INVALID', '--from is the number of an entry', { where: 'from' })
  return Number(text)
}

export function addSinks(ledger: Command, io: Io): void {
  const sinks = withServer(ledger.command('sinks').description('list the systems that entries are sent to, and how far each is'))
  sinks.action(
    served(io, async ({ client }, options: CommonOptions) => {
      const { items } = await client.listSinks()
      if (options.json) return json(io, items)
      const now = Date.now()
      table<SinkView>(
        io,
        items,
        [
          ['sink', ({ name }) => name],
          ['state', stateOf],
          ['next', ({ position }) => position],
          ['behind', ({ lag }) => lag],
          ['delivered', ({ deliveredAt }) => ago(deliveredAt, now)],
          ['error', ({ error, failedAt }) => error && `${ago(failedAt, now)}: ${error}`],
        ],
        'Nothing is sent anywhere: the settings name no sink (outbox).',
      )
    }),
  )
  const replay = withServer(
    sinks.command('replay').argument('<sink>').description('send again, or go on with a sink that was switched off'),
  )
  replay.option('--from <entry>', 'the number of the first entry to send; where it stands unless said')
  replay.action(
    served(io, async ({ client }, options: CommonOptions & { from?: string }, name: string) => {
      const body = options.from === undefined ? {} : { from: parseSeq(options.from) }
      const sink = await client.replaySink({ params: { name }, body })
      if (options.json) json(io, sink)
      else line(io, `${plain(name)} goes on at entry ${sink.position}; ${sink.lag} are to be sent.`)
    }),
  )
  examples(sinks, 'ledger sinks', 'ledger sinks replay siem --from 0')
}
