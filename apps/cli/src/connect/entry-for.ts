/** The entry that makes a client reach its tools through Ephor, in the form that each client reads today. */
import { serversKey } from './configuration.ts'
import type { Client, Target } from './types.ts'

export const ENTRY = 'ephor'

/** Claude Desktop's file takes commands only; of an unknown client nothing more can be assumed. */
const SPEAKS_HTTP: Record<Client, boolean> = { 'claude-desktop': false, 'claude-code': true, cursor: true, vscode: true, other: false }

export type Entry = { speaks: 'http' | 'stdio'; value: Record<string, unknown> }

/**
 * Sources: code.claude.com/docs/en/mcp, code.visualstudio.com/docs/agents/reference/mcp-configuration, cursor.com/docs/mcp.
 * @param shared the file is a project's: it gets the command, which holds no credential
 */
export function entryFor(client: Client, target: Target, shared: boolean): Entry {
  if (target.http && SPEAKS_HTTP[client] && !shared) {
    const { url, credential } = target.http
    // Cursor tells the transport by the `url`; the others want it said.
    const type = client === 'cursor' ? {} : { type: 'http' }
    return { speaks: 'http', value: { ...type, url, headers: { Authorization: `Bearer ${credential}` } } }
  }
  const { command, args, env } = target.stdio
  const type = client === 'vscode' ? { type: 'stdio' } : {}
  return { speaks: 'stdio', value: { ...type, command, args, ...(env === undefined ? {} : { env }) } }
}

export type Snippet = {
  /** The whole file, when it holds nothing else. */
  text: string
  /** Where it belongs, in words. */
  file: string
  /** A command that does the same, where the client has one. */
  command?: string
}

const FILES: Record<Client, string> = {
  'claude-desktop': 'claude_desktop_config.json (Settings, Developer, Edit Config)',
  'claude-code': '.mcp.json in the project, or ~/.claude.json',
  cursor: '~/.cursor/mcp.json, or .cursor/mcp.json in the project',
  vscode: 'the user mcp.json (MCP: Open User Configuration), or .vscode/mcp.json in the project',
  other: 'the MCP configuration of the client',
}

const quote = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

function commandFor(client: Client, { speaks, value }: Entry, target: Target): string | undefined {
  if (client === 'vscode') return `code --add-mcp ${quote(JSON.stringify({ name: ENTRY, ...value }))}`
  if (client !== 'claude-code') return undefined
  if (speaks === 'http' && target.http)
    return `claude mcp add --transport http ${ENTRY} ${quote(target.http.url)} --header ${quote(`Authorization: Bearer ${target.http.credential}`)}`
  const env = Object.entries(target.stdio.env ?? {}).map(([name, text]) => ` --env ${quote(`${name}=${text}`)}`)
  return `claude mcp add --transport stdio${env.join('')} ${ENTRY} -- ${[target.stdio.command, ...target.stdio.args].map(quote).join(' ')}`
}

/** Ready to paste. Holds the credential when the client speaks HTTP: print it to a person only. */
export function snippetFor(client: Client, target: Target): Snippet {
  const entry = entryFor(client, target, false)
  const command = commandFor(client, entry, target)
  return {
    text: `${JSON.stringify({ [serversKey(client)]: { [ENTRY]: entry.value } }, undefined, 2)}\n`,
    file: FILES[client],
    ...(command === undefined ? {} : { command }),
  }
}
