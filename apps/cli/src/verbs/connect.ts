/** `ephor connect` and `ephor disconnect`: send the tool servers of MCP clients through Ephor, and undo it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import { settingsOf } from '../connection.ts'
import type { CommonOptions, Connection } from '../connection.ts'
import { applyPlan, connectedFiles, disconnect, findConfigurations, locate, planConnection, thisMachine } from '../connect/index.ts'
import type { Client, Location, Plan, Target } from '../connect/index.ts'
import { json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withCommon, withServer } from '../verb.ts'

const CLIENTS: readonly Client[] = ['claude-desktop', 'claude-code', 'cursor', 'vscode']
const isClient = (text: string): text is Client => CLIENTS.some((client) => client === text)

type ConnectOptions = CommonOptions & { agent?: string; yes?: boolean }

/** The agent's credential in a file of its own, so that a client's configuration need not hold it. */
async function credentialFile({ client, settings }: Connection, agent: string | undefined): Promise<string> {
  if (agent === undefined) {
    const demo = join(settings.home, 'demo-agent.credential')
    if (existsSync(demo)) return demo
    throw new Fault('REQUEST_INVALID', 'say which agent the client is: --agent agt_… (ephor agents list)')
  }
  const file = join(settings.home, 'credentials', agent)
  if (!existsSync(file)) {
    const { secret } = await client.issueCredential({
      params: { id: agent },
      body: { kind: 'secret' },
      idempotencyKey: crypto.randomUUID(),
    })
    mkdirSync(join(settings.home, 'credentials'), { recursive: true, mode: 0o700 })
    writeFileSync(file, `${secret ?? ''}\n`, { mode: 0o600, flag: 'wx' })
  }
  return file
}

function targetOf(url: string, home: string, file: string): Target {
  const program = fileURLToPath(new URL('../../bin/ephor.mjs', import.meta.url))
  return {
    http: { url: `${url}/mcp`, credential: readFileSync(file, 'utf8').trim() },
    stdio: { command: process.execPath, args: [program, 'mcp', '--home', home, '--credential-file', file] },
  }
}

function showPlan(io: Io, plan: Plan): void {
  line(io, `${plan.client}: ${plain(plan.file)}`)
  for (const change of plan.changes) line(io, `  - ${plain(change)}`)
  for (const server of plan.servers) {
    if (server.action === 'leave') line(io, `  - leaves ${plain(server.name)} as it is: ${plain(server.because)}`)
    else
      for (const { secret, because } of server.missing) line(io, `  ! ${plain(server.name)} needs the secret ${secret}: ${plain(because)}`)
  }
  if (plan.changes.length === 0) line(io, '  Nothing to change.')
}

async function agreed(io: Io, yes: boolean | undefined): Promise<boolean> {
  if (yes) return true
  if (!process.stdin.isTTY || !io.stdout.isTTY) {
    io.stderr.write('Nothing was changed. To make these changes: ephor connect --yes\n')
    return false
  }
  const prompt = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await prompt.question('Make these changes? [y/N] ')
  prompt.close()
  return /^y(es)?$/i.test(answer.trim())
}

async function connectClients(io: Io, connection: Connection, options: ConnectOptions, where?: string): Promise<void> {
  const machine = thisMachine()
  const places: Location[] =
    where === undefined || isClient(where) ? findConfigurations(machine, where) : [locate(resolve(io.folder, where), machine)]
  if (places.length === 0) throw new Fault('NOT_FOUND', `no configuration of ${where ?? CLIENTS.join(', ')} was found; name the file`)
  const { home } = connection.settings
  const target = targetOf(connection.url, home, await credentialFile(connection, options.agent))
  const plans = places.map((place) => ({ place, plan: planConnection(place, target, machine) }))
  if (options.json && !options.yes)
    return json(
      io,
      plans.map(({ plan }) => plan),
    )
  if (!options.json) for (const { plan } of plans) showPlan(io, plan)
  const changing = plans.filter(({ plan }) => plan.changes.length > 0)
  if (changing.length === 0 || !(await agreed(io, options.yes))) return
  const importer = {
    async proposeServer(body: Parameters<typeof connection.client.proposeServer>[0]['body']) {
      await connection.client.proposeServer({ body })
    },
  }
  const applied = []
  for (const { place, plan } of changing) applied.push(await applyPlan(plan, place, { target, importer, machine, home, now: Date.now() }))
  if (options.json) return json(io, applied)
  for (const { file, backup, imported } of applied) {
    line(io, `Connected ${plain(file)}${backup === undefined ? '' : `; as it was: ${plain(backup)}`}`)
    for (const { as } of imported) line(io, `  Look at ${as} and accept it: ephor servers diff ${as}; ephor servers accept ${as}`)
  }
  line(io, 'Restart the client. ephor disconnect undoes this.')
}

export function addConnect(program: Command, io: Io): void {
  const connecting = withServer(
    program
      .command('connect')
      .argument('[client]', `${CLIENTS.join(', ')}, or a file; all that are found unless said`)
      .description('send the tool servers of MCP clients through Ephor; shows the changes first'),
  )
  connecting
    .option('--agent <id>', 'agt_…: the agent that the client is; the demo agent unless set')
    .option('--yes', 'make the changes without asking')
  connecting.action(served(io, (connection, options: ConnectOptions, where?: string) => connectClients(io, connection, options, where)))
  examples(connecting, 'connect', 'connect cursor --agent agt_01kf…', 'connect ./.vscode/mcp.json --yes')

  const undoing = withCommon(
    program
      .command('disconnect')
      .argument('[file]', 'the configuration; all that are connected unless said')
      .description('put the configurations of MCP clients back'),
  )
  undoing.action((file: string | undefined, options: CommonOptions) => {
    const { home } = settingsOf(io, options)
    const files = file === undefined ? connectedFiles(home) : [resolve(io.folder, file)]
    const undone = files.flatMap((name) => disconnect(name, home))
    if (options.json) return json(io, undone)
    if (undone.length === 0) line(io, 'No client is connected.')
    for (const { file: name, detail } of undone) line(io, `${plain(name)}: ${plain(detail)}`)
  })
  examples(undoing, 'disconnect', 'disconnect ~/.cursor/mcp.json')
}
