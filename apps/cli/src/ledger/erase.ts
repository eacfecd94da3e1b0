/** `ephor ledger erase` and `erasures`: what goes and what stays is shown first, and nothing goes without a yes. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { ErasureReason, Fault } from '@ephor/contract'
import type { ErasurePreview } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { facts, json, line, plain, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

type EraseOptions = CommonOptions & { subject: string; reason: ErasureReason; yes?: boolean; dryRun?: boolean }

const counted = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')

function show(io: Io, { subject, goes, held, names, stays }: ErasurePreview): void {
  line(io, `Goes, for ever, of ${plain(subject)}:`)
  facts(io, [
    ['  keys', goes.keys],
    ['  payloads', counted(goes.payloads)],
    ['  of entries', counted(goes.entries)],
    ['  sealed bytes', goes.bytes],
    ['  from', goes.from],
    ['  to', goes.to],
  ])
  for (const { room, what, stays: why } of names) if (why === undefined) line(io, `  ${room}  ${plain(what)}`)
  line(io, 'Stays:')
  facts(io, [
    ['  entries', `${stays.entries}, with every proof of them`],
    ['  commitments', `${stays.commitments} to what goes; without their salts they say nothing`],
  ])
  for (const { hold, keys } of held) line(io, `  held  ${keys} keys, by the legal hold ${hold}`)
  for (const { room, what, stays: why } of names) if (why !== undefined) line(io, `  ${room}  ${plain(what)}: ${plain(why)}`)
}

export function addErase(ledger: Command, io: Io): void {
  const erasing = withServer(ledger.command('erase').description('erase what was said and done by an agent or a person; the record stays'))
  erasing
    .requiredOption('--subject <id>', 'agt_… or per_…')
    .addOption(new Option('--reason <code>', 'why').choices(ErasureReason.options).default('subject-request'))
    .option('--yes', 'erase; without it, what would go is shown')
    .option('--dry-run', 'only show what would go')
  erasing.action(
    served(io, async ({ client }, { subject, reason, yes, dryRun, json: asJson }: EraseOptions) => {
      const preview = await client.previewErasure({ body: { subject } })
      const erase = yes === true && dryRun !== true
      if (!asJson) show(io, preview)
      if (!erase) return asJson ? json(io, preview) : line(io, '\nNothing was erased. To erase it: the same with --yes')
      const done = await client.eraseSubject({ body: { subject, reason } })
      if (asJson) json(io, done)
      else if (done.entries.length === 0) line(io, '\nThere was nothing to erase.')
      else {
        const names = done.names.filter(({ stays }) => stays === undefined).map(({ what }) => what)
        line(io, `\nErased: ${[`${done.keys} keys`, ...names.map(plain)].join('; ')}. Recorded as ${done.entries.join(', ')}.`)
        if (!done.overwritten)
          line(io, 'The database may keep the destroyed keys on disk for a while: docs/guide/erasure.md says how long.')
      }
      const [first] = done.held
      if (first) throw new Fault('LEGAL_HOLD', done.held.map(({ hold, keys }) => `${hold} keeps ${keys} keys`).join(', '))
      const kept = done.names.find(({ fault }) => fault !== undefined)
      if (kept?.fault) throw new Fault(kept.fault, `${plain(kept.what)} stays: ${plain(kept.stays ?? '')}`)
    }),
  )
  examples(erasing, 'ledger erase --subject agt_01kf… --dry-run', 'ledger erase --subject per_01kf… --reason subject-request --yes')

  withServer(ledger.command('erasures').description('list erasures and expiries')).action(
    served(io, async ({ client }, options: CommonOptions) => {
      const page = await client.listErasures({ query: {} })
      if (options.json) return json(io, page)
      table(
        io,
        page.items,
        [
          ['at', ({ at }) => at],
          ['what', ({ type }) => type],
          ['subject', ({ subject }) => subject],
          ['why', ({ reason }) => reason],
          ['by', ({ by }) => by],
          ['keys', ({ keys }) => String(keys)],
          ['entry', ({ entry }) => entry],
        ],
        'Nothing was erased, and nothing expired.',
      )
    }),
  )
}
