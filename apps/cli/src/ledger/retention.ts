/** `ephor ledger retention`: the rules by which sealed content expires. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { parseRetentionRules } from '@ephor/engine/ledger'
import type { CommonOptions } from '../connection.ts'
import { facts, json, line, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

export function addRetention(ledger: Command, io: Io): void {
  const retention = ledger.command('retention').description('how long sealed content is kept')

  withServer(retention.command('show').description('show the rules, and what is kept')).action(
    served(io, async ({ client }, options: CommonOptions) => {
      const now = await client.getRetention()
      if (options.json) return json(io, now)
      facts(io, [['swept', now.swept ?? 'never']])
      table(
        io,
        now.rules.rules,
        [
          ['class', (rule) => rule.class ?? 'every'],
          ['jurisdiction', (rule) => rule.jurisdiction ?? 'every'],
          ['keep', ({ keep }) => keep],
        ],
        'No rules: everything is kept for ever.',
      )
      table(
        io,
        now.keys,
        [
          ['kept', (row) => row.class],
          ['keys', ({ keys }) => String(keys)],
          ['oldest', ({ oldest }) => oldest],
        ],
        'Nothing is sealed.',
      )
    }),
  )

  const setting = withServer(retention.command('set').argument('<file>', 'YAML').description('replace the rules by those of a file'))
  setting.action(
    served(io, async ({ client }, options: CommonOptions, file: string) => {
      const rules = parseRetentionRules(readFileSync(resolve(io.folder, file), 'utf8'), file)
      const done = await client.setRetention({ body: rules })
      if (options.json) return json(io, done)
      line(io, `The rules are in force; recorded as retention/${done.version}.`)
    }),
  )
  examples(setting, 'ledger retention set retention.yaml')

  withServer(retention.command('sweep').description('expire now what is past, whatever the clock says')).action(
    served(io, async ({ client }, options: CommonOptions) => {
      const done = await client.sweepRetention()
      if (options.json) return json(io, done)
      line(io, done.keys === 0 ? 'Nothing is past.' : `Expired: ${done.keys} keys; recorded as ${done.entries.join(', ')}.`)
    }),
  )
}
