/** `ephor servers`: tool servers, from proposal over a look at what they offer to acceptance. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { OperationResponse, registryOperations, Transport } from '@ephor/contract'
import type { CommonOptions, Connection } from '../connection.ts'
import { json, line, plain, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, paging, served, withPaging, withServer } from '../verb.ts'
import type { PagingOptions } from '../verb.ts'

type Diff = OperationResponse<typeof registryOperations.diffServer>
type AddOptions = CommonOptions & { at?: string; header?: string[]; env?: string[]; folder?: string[]; cwd?: string }

/** `NAME=value` texts to a record. */
function pairs(texts: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new Fault('REQUEST_INVALID', `write NAME=value, not ${JSON.stringify(text)}`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

function transportOf(io: Io, options: AddOptions, command: readonly string[]): Transport {
  if (options.at !== undefined) return { type: 'http', url: options.at, headers: pairs(options.header) }
  const [program, ...args] = command
  if (program === undefined) throw new Fault('REQUEST_INVALID', 'give the command after --, or an address with --at')
  return { type: 'stdio', command: program, args, env: pairs(options.env), ...(options.cwd && { cwd: resolve(io.folder, options.cwd) }) }
}

function showDiff(io: Io, name: string, { findings, tools }: Diff): void {
  for (const finding of findings) line(io, `! ${plain(finding)}`)
  if (tools.length === 0) return line(io, `Accepting ${name} now would change nothing.`)
  for (const { tool, state, proposal, differences } of tools) {
    line(io, `${plain(tool)} (${state})  would be ${proposal.kind}, risk ${proposal.risk}, paths ${proposal.paths.join(' ') || 'none'}`)
    for (const { where, change, text } of differences)
      line(io, `  ${{ added: '+', removed: '-', changed: '~' }[change]} ${plain(where || '/')}: ${plain(text)}`)
  }
}

async function accept(io: Io, { client }: Connection, options: CommonOptions & { digest?: string }, name: string): Promise<void> {
  // Without a digest, what is accepted is what is there now: shown before, and refused when it changes in between.
  const diff = await client.diffServer({ params: { name } })
  if (options.digest === undefined && !options.json) showDiff(io, name, diff)
  const server = await client.acceptServer({
    params: { name },
    body: { digest: options.digest ?? diff.digest },
    idempotencyKey: crypto.randomUUID(),
  })
  if (options.json) return json(io, server)
  line(io, `Accepted ${server.name} with ${server.tools.accepted} tools. Confirm what they do: ephor tools list --server ${server.name}`)
}

function addAdd(servers: Command, io: Io): void {
  const add = withServer(
    servers
      .command('add')
      .argument('<name>')
      .argument('[command...]', 'after --: the command that starts it')
      .description('propose a tool server; nothing is callable until it is accepted'),
  )
  add
    .option('--at <address>', 'a Streamable HTTP server instead of a command')
    .option('--header <NAME=value...>', 'sent to it; a value may be secret:NAME')
    .option('--env <NAME=value...>', 'its environment; a value may be secret:NAME')
    .option('--cwd <folder>', 'where it runs')
    .option('--folder <folder...>', 'confine its path arguments to these folders')
  add.action(
    served(io, async ({ client }, options: AddOptions, name: string, command: string[]) => {
      const folders = (options.folder ?? []).map((folder) => resolve(io.folder, folder))
      const body = { name, transport: transportOf(io, options, command), folders }
      const server = await client.proposeServer({ body, idempotencyKey: crypto.randomUUID() })
      if (options.json) return json(io, server)
      if (server.error) line(io, `Proposed ${server.name}, but: ${plain(server.error)}`)
      else
        line(
          io,
          `Proposed ${server.name} with ${server.tools.proposed} tools. Look: ephor servers diff ${server.name}; then: ephor servers accept ${server.name}`,
        )
    }),
  )
  examples(
    add,
    'servers add notes --folder ~/notes -- npx -y @modelcontextprotocol/server-filesystem ~/notes',
    'servers add crm --at https://crm.example/mcp --header Authorization=secret:crm-token',
  )
}

export function addServers(program: Command, io: Io): void {
  const servers = program.command('servers').description('tool servers that agents reach through Ephor')

  const list = withPaging(withServer(servers.command('list').description('list the tool servers')))
  list.action(
    served(io, async ({ client }, options: CommonOptions & PagingOptions) => {
      const page = await client.listServers({ query: paging(options) })
      if (options.json) return json(io, page)
      table(
        io,
        page.items,
        [
          ['name', ({ name }) => name],
          ['state', ({ state }) => state],
          ['accepted', ({ tools }) => tools.accepted],
          ['waiting', ({ tools }) => tools.proposed + tools.changed || ''],
          ['transport', ({ transport }) => transport['url'] ?? transport['command']],
          ['folders', ({ folders }) => folders],
          ['error', ({ error }) => error],
        ],
        'No tool servers: ephor servers add, or ephor connect.',
      )
    }),
  )

  addAdd(servers, io)

  const diff = withServer(servers.command('diff').argument('<name>').description('show what accepting it now would change'))
  diff.action(
    served(io, async ({ client }, options: CommonOptions, name: string) => {
      const found = await client.diffServer({ params: { name } })
      if (options.json) json(io, found)
      else showDiff(io, name, found)
    }),
  )

  const accepting = withServer(
    servers.command('accept').argument('<name>').description('pin its tools as they are now and make them callable'),
  )
  accepting.option('--digest <digest>', 'only if it is still what you looked at (from servers diff --json)')
  accepting.action(
    served(io, (connection, options: CommonOptions & { digest?: string }, name: string) => accept(io, connection, options, name)),
  )

  const remove = withServer(servers.command('remove').argument('<name>').description('remove a tool server'))
  remove.action(
    served(io, async ({ client }, options: CommonOptions, name: string) => {
      const server = await client.removeServer({ params: { name }, idempotencyKey: crypto.randomUUID() })
      if (options.json) json(io, server)
      else line(io, `Removed ${server.name}: none of its tools is callable any more.`)
    }),
  )
}
