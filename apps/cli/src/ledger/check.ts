/** `ephor ledger check`: whether the tables that Ephor acts by are what the ledger says. */
import type { Command } from 'commander'
import type { CommonOptions } from '../connection.ts'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

export function addCheck(ledger: Command, io: Io): void {
  const check = withServer(
    ledger.command('check').description('compare the tables with what the entries of the ledger say; reads the whole ledger'),
  )
  check.action(
    served(io, async ({ client }, options: CommonOptions) => {
      const found = await client.checkProjections()
      const { entries, rows, differs, differences, notCovered, uncovered } = found
      if (options.json) json(io, found)
      else {
        for (const { table, key, field, detail } of differences)
          line(io, `${table} ${plain(key)}${field === undefined ? '' : ` ${field}`}: ${plain(detail)}`)
        for (const { table, key, detail } of uncovered) line(io, `not covered: ${table} ${plain(key)}: ${plain(detail)}`)
        const more = differs - differences.length + notCovered - uncovered.length
        if (more > 0) line(io, `… and ${more} more`)
        line(
          io,
          differs > 0
            ? `${differs} ${differs === 1 ? 'thing is' : 'things are'} not what the ledger says: somebody wrote to the database beside Ephor.`
            : `${rows} rows are what ${entries} entries say.`,
        )
      }
      if (differs > 0) throw new ExitCode(EXIT.failed)
    }),
  )
  examples(check, 'ledger check', 'ledger check --json')
}
