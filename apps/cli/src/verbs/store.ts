/** `ephor store`: moves an installation to the database that several replicas share. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import { copyToPostgres, loadSettings } from '@ephor/server'
import { json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { readSettingFlags, withSettings } from '../setting-flags.ts'
import { examples } from '../verb.ts'

type CopyOptions = Record<string, unknown> & { to?: string; json?: boolean }

export function addStore(program: Command, io: Io): void {
  const store = program.command('store').description('where rows and ledger are kept')
  const copy = withSettings(
    store.command('copy').description('copy the embedded store of a data folder to PostgreSQL, and verify what arrived'),
  )
    .option('--to <url>', 'postgres://role@host/database; or the setting store.url')
    .option('--json', 'print JSON for programs')
  copy.action(async (options: CopyOptions) => {
    const { to, ...rest } = options
    const { settings } = loadSettings({ folder: io.folder, environment: io.environment, ...readSettingFlags(rest) })
    const url = to ?? settings.store.url
    if (url === undefined) throw new Fault('SETTINGS_INVALID', 'say where to: --to postgres://role@host/database', { where: '--to' })
    const copied = await copyToPostgres(settings, url, ({ table, rows }) => {
      if (!options.json && rows > 0) line(io, `  ${plain(table)}: ${rows} rows, the same there`)
    })
    if (options.json) return json(io, copied)
    line(io, `Copied. The ledger verifies there from the first of its ${copied.entries} entries; root ${copied.root}.`)
    line(
      io,
      'Set store.url (EPHOR_STORE_URL) before the next start. The embedded store is as it was: move store.db away, so that nobody writes on.',
    )
  })
  examples(copy, 'store copy --to postgres://ephor@db.internal/ephor')
}
