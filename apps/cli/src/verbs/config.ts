/** `ephor config show`: the effective settings, and where each came from. */
import type { Command } from 'commander'
import { loadSettings } from '@ephor/server'
import { json, table } from '../output.ts'
import type { Io } from '../output.ts'
import { readSettingFlags, withSettings } from '../setting-flags.ts'
import { examples } from '../verb.ts'

export function addConfig(program: Command, io: Io): void {
  const config = program.command('config').description('the settings')
  const show = withSettings(config.command('show').description('show the effective settings and where each came from')).option(
    '--json',
    'print JSON for programs',
  )
  show.action((options: Record<string, unknown>) => {
    const { effective, file } = loadSettings({ folder: io.folder, environment: io.environment, ...readSettingFlags(options) })
    if (options['json']) return json(io, { file: file ?? null, settings: effective })
    table(
      io,
      effective,
      [
        ['setting', ({ name }) => name],
        ['value', ({ value }) => value],
        ['source', ({ source, from }) => (from === undefined ? source : `${source} ${from}`)],
        ['what it is', ({ description }) => description],
      ],
      '',
    )
  })
  examples(show, 'config show', 'EPHOR_PORT=8000 ephor config show --json'.replace('ephor ', ''))
}
