/** `ephor mcp`: Ephor as a stdio MCP server, for clients that only speak stdio. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import { bridgeStdio } from '@ephor/engine/gateway'
import { readRunFile } from '@ephor/server'
import { settingsOf } from '../connection.ts'
import type { CommonOptions } from '../connection.ts'
import type { Io } from '../output.ts'
import { examples } from '../verb.ts'

type McpOptions = CommonOptions & { credentialFile?: string }

function credentialOf(io: Io, options: McpOptions, home: string): string {
  const given = io.environment['EPHOR_CREDENTIAL']
  if (given !== undefined && options.credentialFile === undefined) return given
  const file = options.credentialFile === undefined ? join(home, 'demo-agent.credential') : resolve(io.folder, options.credentialFile)
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new Fault('UNAUTHENTICATED', `no agent credential: set EPHOR_CREDENTIAL or --credential-file (${(error as Error).message})`)
  }
}

export function addMcp(program: Command, io: Io): void {
  const mcp = program
    .command('mcp')
    .description('speak MCP on stdin and stdout, for clients that only know that; needs a running ephor up')
    .option('--credential-file <file>', "the agent's credential (or EPHOR_CREDENTIAL); the demo agent's unless set")
    .option('--home <folder>', 'the data folder (or EPHOR_HOME; .ephor unless set)')
    .option('--config <file>', 'the settings file (or EPHOR_CONFIG)')
    .option('--url <address>', 'where Ephor listens (or EPHOR_URL)')
  mcp.action(async (options: McpOptions) => {
    const settings = settingsOf(io, options)
    const url = options.url ?? io.environment['EPHOR_URL'] ?? readRunFile(settings.home)?.url ?? `http://127.0.0.1:${settings.port}`
    await bridgeStdio({
      url: `${url.replace(/\/+$/, '')}/mcp`,
      credential: credentialOf(io, options, settings.home),
      input: process.stdin,
      output: process.stdout,
      log: (text) => void io.stderr.write(`ephor: ${text}\n`),
    })
  })
  examples(mcp, 'mcp', 'mcp --home ~/agents/.ephor --credential-file ~/.config/my-agent.credential')
}
