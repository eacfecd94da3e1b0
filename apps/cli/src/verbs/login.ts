/** `ephor login`: a one-time link that signs a person in to the console. */
import type { Command } from 'commander'
import type { CommonOptions } from '../connection.ts'
import { json, line } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

export function addLogin(program: Command, io: Io): void {
  const login = withServer(program.command('login').description('print a one-time link that signs in to the console'))
  login.option('--person <id>', 'per_…: for somebody else; you hand it to them yourself')
  login.action(
    served(io, async ({ client, url }, options: CommonOptions & { person?: string }) => {
      const link = await client.createLink({ body: options.person === undefined ? {} : { person: options.person } })
      const address = `${url}/#code=${link.code}`
      if (options.json) return json(io, { ...link, address })
      line(io, address)
      io.stderr.write(`Good once, until ${link.expiresAt}. Whoever has it signs in as ${link.person}.\n`)
    }),
  )
  examples(login, 'login', 'login --person per_01kf…')
}
