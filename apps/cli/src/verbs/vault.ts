/** `ephor vault`: secrets that tool servers need. They go in, are named, and never come out again. */
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { json, line, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

export function addVault(program: Command, io: Io): void {
  const vault = program.command('vault').description('secrets that tool servers need, as secret:NAME')

  withServer(vault.command('list').description('list the secrets by name')).action(
    served(io, async ({ client }, options: CommonOptions) => {
      const page = await client.listSecrets()
      if (options.json) return json(io, page)
      table(
        io,
        page.items,
        [
          ['name', ({ name }) => name],
          ['version', ({ version }) => version],
          ['stored', ({ storedAt }) => storedAt],
        ],
        'No secrets: ephor vault put NAME.',
      )
    }),
  )

  const put = withServer(vault.command('put').argument('<name>').description('store a secret; its value is read from standard input'))
  put.action(
    served(io, async ({ client }, options: CommonOptions, name: string) => {
      // Never an argument: those stand in the shell's history and in the list of processes.
      if (process.stdin.isTTY) io.stderr.write('Type or paste the value, then Enter and Ctrl-D:\n')
      const value = (await text(process.stdin)).replace(/\r?\n$/, '')
      if (value === '') throw new Fault('REQUEST_INVALID', 'the value is empty', { where: 'standard input' })
      const secret = await client.putSecret({ params: { name }, body: { value } })
      if (options.json) json(io, secret)
      else line(io, `Stored as secret:${secret.name}, version ${secret.version}.`)
    }),
  )
  examples(put, 'vault put crm-token < token.txt')

  const remove = withServer(vault.command('remove').argument('<name>').description('remove a secret'))
  remove.action(
    served(io, async ({ client }, options: CommonOptions, name: string) => {
      const secret = await client.removeSecret({ params: { name } })
      if (options.json) json(io, secret)
      else line(io, `Removed ${secret.name}.`)
    }),
  )
}
