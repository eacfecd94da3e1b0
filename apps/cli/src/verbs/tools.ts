/** `ephor tools`: the tools of all servers, and what they do to the world. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { OperationResponse, registryOperations } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { json, line, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, paging, served, withPaging, withServer } from '../verb.ts'
import type { PagingOptions } from '../verb.ts'

type Tool = OperationResponse<typeof registryOperations.listTools>['items'][number]
type ClassifyOptions = CommonOptions & { kind?: Tool['kind']; risk?: Tool['risk']; path?: string[] }

export function addTools(program: Command, io: Io): void {
  const tools = program.command('tools').description('what the tool servers offer')

  const list = withPaging(withServer(tools.command('list').description('list the tools').option('--server <name>', 'of this server')))
  list.action(
    served(io, async ({ client }, options: CommonOptions & PagingOptions & { server?: string }) => {
      const page = await client.listTools({ query: { ...paging(options), ...(options.server && { server: options.server }) } })
      if (options.json) return json(io, page)
      table(
        io,
        page.items,
        [
          ['tool', ({ server, name }) => `${server}/${name}`],
          ['state', ({ state }) => state],
          ['kind', ({ kind }) => kind],
          ['risk', ({ risk }) => risk],
          ['paths', ({ paths }) => paths],
          ['title', ({ title }) => title],
        ],
        'No tools: ephor servers add.',
      )
    }),
  )

  const classify = withServer(
    tools.command('classify').argument('<tool>', 'server/tool').description('confirm what a tool does to the world'),
  )
  classify
    .option('--kind <kind>', 'read, write, destructive, external, money or identity')
    .option('--risk <risk>', 'low, medium, high or critical')
    .option('--path <pointer...>', 'the arguments that are file paths, as JSON pointers: /path /paths/*')
  classify.action(
    served(io, async ({ client }, options: ClassifyOptions, named: string) => {
      const slash = named.indexOf('/')
      if (slash < 1) throw new Fault('REQUEST_INVALID', `name the tool as server/tool, not ${JSON.stringify(named)}`)
      const [server, name] = [named.slice(0, slash), named.slice(slash + 1)]
      const { list: known } = await client.showServer({ params: { name: server } })
      const now = known.find((tool) => tool.name === name)
      if (!now) throw new Fault('TOOL_UNKNOWN', named)
      const tool = await client.classifyTool({
        params: { server, name },
        body: { kind: options.kind ?? now.kind, risk: options.risk ?? now.risk, paths: options.path ?? now.paths },
        idempotencyKey: crypto.randomUUID(),
      })
      if (options.json) json(io, tool)
      else line(io, `${tool.server}/${tool.name} is ${tool.kind}, risk ${tool.risk}, paths ${tool.paths.join(' ') || 'none'}.`)
    }),
  )
  examples(classify, 'tools classify files/move_file --kind destructive --path /source /destination')
}
