/** `ephor migrate`: brings the store up to date with this program, or says what that would do. */
import type { Command } from 'commander'
import { loadSettings, migrateStore, pendingMigrations } from '@ephor/server'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { readSettingFlags, withSettings } from '../setting-flags.ts'
import { examples } from '../verb.ts'

type MigrateOptions = Record<string, unknown> & { check?: boolean; json?: boolean }

export function addMigrate(program: Command, io: Io): void {
  const migrate = withSettings(program.command('migrate').description('bring the store up to date with this version of Ephor'))
    .option('--check', 'only say what is to be done; exits with 1 when there is something')
    .option('--json', 'print JSON for programs')
  migrate.action(async (options: MigrateOptions) => {
    const { settings } = loadSettings({ folder: io.folder, environment: io.environment, ...readSettingFlags(options) })
    const check = options.check === true
    const names = check ? await pendingMigrations(settings) : await migrateStore(settings)
    if (options.json) json(io, check ? { pending: names } : { applied: names })
    else if (names.length === 0) line(io, 'The store is up to date.')
    else line(io, `${check ? 'To be applied' : 'Applied'}: ${plain(names.join(', '))}`)
    if (check && names.length > 0) throw new ExitCode(EXIT.failed)
  })
  examples(migrate, 'migrate --check', 'migrate')
}
