/** `ephor policy health`: where people are asked too often, and where too seldom; proposes one suggestion where it is told to. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { ThresholdHealth } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { json, line, plain, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { showProposal } from './proposal-text.ts'
import { since } from './since.ts'

type Options = CommonOptions & { since?: string; propose?: string }
type Suggestion = { about: string } & NonNullable<ThresholdHealth['asked'][number]['suggestion']>

function suggestionsOf({ asked, harmed }: ThresholdHealth): Suggestion[] {
  const all = [
    ...asked.map(({ policy, suggestion }) => ({ about: policy, suggestion })),
    ...harmed.map(({ action, suggestion }) => ({ about: action, suggestion })),
  ]
  return all.flatMap(({ about, suggestion }) => (suggestion ? [{ about, ...suggestion }] : []))
}

const took = (ms: number | undefined) =>
  ms === undefined ? undefined : ms < 90_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`

function show(io: Io, health: ThresholdHealth): void {
  const { asked, harmed } = health
  table(
    io,
    asked,
    [
      ['asks', ({ policy }) => policy],
      ['holds', ({ holds }) => holds],
      ['approved', ({ approved }) => approved],
      ['denied', ({ denied }) => denied],
      ['undecided', ({ undecided }) => undecided],
      ['median', ({ medianMs }) => took(medianMs)],
      ['people', ({ approvers }) => approvers],
    ],
    'Nobody was asked.',
  )
  if (harmed.length > 0)
    table(
      io,
      harmed,
      [
        ['did harm', ({ action }) => action],
        ['reports', ({ harmful }) => harmful],
        ['of permits', ({ permits }) => permits],
        ['permitted by', ({ policies }) => policies],
      ],
      '',
    )
  for (const { about, text, files } of suggestionsOf(health)) {
    line(io, `${plain(about)}: ${plain(text)}.`)
    if (files) line(io, `  To propose the change: ephor policy health --propose ${plain(about)}`)
  }
}

export function addHealth(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('health')
      .description('show holds that are always approved, and permits that were reported as harmful; changes nothing')
      .option('--since <time>', 'look back 24h or 7d; 30d unless said', since)
      .option('--propose <name>', 'hand in what is suggested for this policy or action, for review'),
  )
  verb.action(
    served(io, async ({ client }, options: Options) => {
      const health = await client.showThresholdHealth({ query: options.since === undefined ? {} : { since: options.since } })
      if (options.propose === undefined) return options.json ? json(io, health) : show(io, health)
      const found = suggestionsOf(health).find(({ about }) => about === options.propose)
      if (!found?.files)
        throw new Fault('NOT_FOUND', 'there are no texts suggested for it; ephor policy health lists what there is', {
          where: options.propose,
        })
      const body = { files: found.files, why: `${found.about}: ${found.text}.` }
      const proposal = await client.proposePolicy({ body, idempotencyKey: crypto.randomUUID() })
      return options.json ? json(io, proposal) : showProposal(io, proposal)
    }),
  )
  examples(verb, 'policy health', 'policy health --since 7d --json', 'policy health --propose mail/strangers')
}
