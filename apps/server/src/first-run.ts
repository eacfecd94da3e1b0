/** The first run: a demo tool server on a scratch folder and a demo agent with a credential, so that there is something to try. */
import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Classification } from '@ephor/contract'
import type { Rooms } from './compose.ts'

const BY = 'system'
const SERVER = 'files'

const PATH = ['/path']
const read = { kind: 'read', risk: 'low', paths: PATH } as const
const write = { kind: 'write', risk: 'medium', paths: PATH } as const

/** The reference file-system server's tools as a person who read its source classifies them. */
const TOOLS: Record<string, Classification> = {
  read_file: read,
  read_text_file: read,
  read_media_file: read,
  read_multiple_files: { ...read, paths: ['/paths/*'] },
  list_directory: read,
  list_directory_with_sizes: read,
  directory_tree: read,
  search_files: read,
  get_file_info: read,
  list_allowed_directories: { ...read, paths: [] },
  write_file: write,
  edit_file: write,
  create_directory: write,
  move_file: { kind: 'destructive', risk: 'high', paths: ['/source', '/destination'] },
}

const WELCOME = `Welcome to Ephor.

An agent that reads this file went through the control plane: the call was decided by policy,
recorded durably before it ran, and the record can be verified by anyone.

Ask the agent to write a file here (permitted), to move one (held until you approve it),
and to read something outside this folder (refused).
`
const NOTES = `# Things to try

- [ ] read welcome.txt
- [ ] write hello.txt
- [ ] move hello.txt to archive.txt, and approve it in the console
- [ ] ephor decisions list
- [ ] ephor ledger verify
`

export type Demo = { /** The file that keeps the credential. */ file: string; folder: string }

function makeScratch(home: string): string {
  const scratch = join(realpathSync(home), 'scratch')
  if (!existsSync(scratch)) {
    mkdirSync(scratch)
    writeFileSync(join(scratch, 'welcome.txt'), WELCOME)
    writeFileSync(join(scratch, 'notes.md'), NOTES)
  }
  return scratch
}

async function addServer({ registry, upstreams }: Rooms, scratch: string): Promise<void> {
  const program = join(
    dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/server-filesystem/package.json')),
    'dist',
    'index.js',
  )
  const transport = { type: 'stdio' as const, command: process.execPath, args: [program, scratch], env: {} }
  await registry.proposeServer({ name: SERVER, transport, folders: [scratch] }, BY)
  await upstreams.inspect(SERVER)
  const offered = new Set(registry.tools(SERVER).map(({ name }) => name))
  const tools = Object.fromEntries(Object.entries(TOOLS).filter(([name]) => offered.has(name)))
  await registry.acceptServer(SERVER, { tools }, BY)
}

/**
 * Each step is taken only if it is missing, so that a first run that was interrupted is finished by the next.
 * @returns undefined once somebody removed the demo, or has set up something else
 */
export async function firstRun(rooms: Rooms, home: string): Promise<Demo | undefined> {
  const { registry, identity } = rooms
  const file = join(home, 'demo-agent.credential')
  const begun = existsSync(join(home, 'scratch'))
  const isNew = registry.servers().length === 0 && registry.agents().length === 0 && registry.server(SERVER) === undefined
  if (!begun && !isNew) return undefined
  const folder = makeScratch(home)
  const known = registry.server(SERVER)
  if (known === undefined || (known.state === 'proposed' && !existsSync(file))) await addServer(rooms, folder)
  if (!existsSync(file)) {
    if (registry.agents().some(({ name }) => name !== 'demo')) return undefined
    const purpose = 'Tries Ephor out on the scratch folder'
    const agent =
      registry.agents().find(({ name }) => name === 'demo') ??
      (await registry.registerAgent({ name: 'demo', owner: identity.operator, purpose }, BY))
    if (agent.state !== 'active') return undefined
    const { secret } = await identity.issueCredential(agent.id, BY)
    writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: 'wx' })
  }
  return { file, folder }
}
