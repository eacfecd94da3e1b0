/** What every verb has in common: its place in the help, the common options, the connection, and examples. */
import type { Command } from 'commander'
import { connect } from './connection.ts'
import type { CommonOptions, Connection } from './connection.ts'
import type { Io } from './output.ts'

export function withCommon(command: Command): Command {
  return command
    .option('--json', 'print JSON for programs')
    .option('--home <folder>', 'the data folder (or EPHOR_HOME; .ephor unless set)')
    .option('--config <file>', 'the settings file (or EPHOR_CONFIG)')
}

export function withServer(command: Command): Command {
  return withCommon(command).option('--url <address>', 'where Ephor listens (or EPHOR_URL)')
}

export function withPaging(command: Command): Command {
  return command.option('--limit <n>', 'how many', '50').option('--cursor <cursor>', 'go on where the last page ended')
}

export type PagingOptions = { limit: string; cursor?: string }

export function paging({ limit, cursor }: PagingOptions): { limit: string; cursor?: string } {
  return { limit, ...(cursor === undefined ? {} : { cursor }) }
}

/** Shown below the options of a verb. */
export function examples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((text) => `  $ ephor ${text}`).join('\n')}`)
}

/** Runs a verb against the server: connected when it starts. */
// oxlint-disable-next-line no-unnecessary-type-parameters -- commander's actions are untyped; the verb says what it takes
export function served<A extends unknown[], O extends CommonOptions>(
  io: Io,
  run: (connection: Connection, options: O, ...args: A) => Promise<void>,
): (...args: unknown[]) => Promise<void> {
  return async (...all) => {
    // Commander hands the arguments, then the options, then the command itself.
    const options = all.at(-2) as O
    await run(connect(io, options), options, ...(all.slice(0, -2) as A))
  }
}
