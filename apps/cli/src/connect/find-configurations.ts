/** Finds the configuration files of the MCP clients on this machine. */
import { existsSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { Fault } from '@ephor/contract'
import type { Client, Location } from './types.ts'

/** The machine as far as this library needs it; tests give another. */
export type Machine = {
  platform: NodeJS.Platform
  home: string
  env: Record<string, string | undefined>
  /** The folder whose project files are looked for. */
  cwd: string
}

export function thisMachine(): Machine {
  return { platform: process.platform, home: homedir(), env: process.env, cwd: process.cwd() }
}

/** Where applications keep a user's settings: Windows' roaming profile, macOS' Application Support, XDG elsewhere. */
function settingsFolder({ platform, home, env }: Machine): string {
  if (platform === 'win32') return env['APPDATA'] ?? join(home, 'AppData', 'Roaming')
  if (platform === 'darwin') return join(home, 'Library', 'Application Support')
  return env['XDG_CONFIG_HOME'] ?? join(home, '.config')
}

function candidates(machine: Machine): Location[] {
  const { home, env, cwd } = machine
  const settings = settingsFolder(machine)
  const user = (client: Client, file: string): Location => ({ client, file, scope: 'user' })
  const project = (client: Client, file: string): Location => ({ client, file, scope: 'project', folder: cwd })
  return [
    user('claude-desktop', join(settings, 'Claude', 'claude_desktop_config.json')),
    user('claude-code', join(env['CLAUDE_CONFIG_DIR'] ?? home, '.claude.json')),
    project('claude-code', join(cwd, '.mcp.json')),
    user('cursor', join(home, '.cursor', 'mcp.json')),
    project('cursor', join(cwd, '.cursor', 'mcp.json')),
    user('vscode', join(settings, 'Code', 'User', 'mcp.json')),
    user('vscode', join(settings, 'Code - Insiders', 'User', 'mcp.json')),
    project('vscode', join(cwd, '.vscode', 'mcp.json')),
  ]
}

/** Files that exist, each once, of one client when it is named. */
export function findConfigurations(machine: Machine, client?: Client): Location[] {
  const found = candidates(machine).filter((place) => (client === undefined || place.client === client) && existsSync(place.file))
  const once = new Map(found.map((place) => [realpathSync(place.file), place]).toReversed() as [string, Location][])
  return [...once].map(([file, place]) => ({ ...place, file })).toReversed()
}

/**
 * A file that the user names. Its client is known by its place and name.
 * @throws Fault NOT_FOUND
 */
export function locate(path: string, machine: Machine): Location {
  const given = resolve(machine.cwd, path)
  if (!existsSync(given)) throw new Fault('NOT_FOUND', `${given} does not exist`, { where: given })
  const file = realpathSync(given)
  const known = candidates(machine).find((place) => existsSync(place.file) && realpathSync(place.file) === file)
  if (known) return { ...known, file }
  const [name, folder] = [basename(given), dirname(given)]
  const project = (client: Client, at: string): Location => ({ client, file, scope: 'project', folder: at })
  if (name === 'claude_desktop_config.json') return { client: 'claude-desktop', file, scope: 'user' }
  if (name === '.claude.json') return { client: 'claude-code', file, scope: 'user' }
  if (name === '.mcp.json') return project('claude-code', folder)
  if (name === 'mcp.json' && basename(folder) === '.cursor') return project('cursor', dirname(folder))
  if (name === 'mcp.json' && basename(folder) === '.vscode') return project('vscode', dirname(folder))
  if (name === 'mcp.json' && basename(folder) === 'User') return { client: 'vscode', file, scope: 'user' }
  return { client: 'other', file, scope: 'user' }
}
