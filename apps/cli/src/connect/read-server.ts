/** Turns one entry of a client's file into a server that Ephor can run, with the client's variables filled in. */
import { basename, isAbsolute, join, resolve } from 'node:path'
import type { ServerDraft } from '@ephor/engine/registry'
import { isObject } from './configuration.ts'
import type { Values } from './configuration.ts'
import type { Machine } from './find-configurations.ts'
import type { Location, MissingSecret } from './types.ts'

export type ReadServer = { transport: ServerDraft['transport']; missing: MissingSecret[] } | { leave: string }

/** Thrown inside this file only: why an entry stays where it is. */
class Leave extends Error {}

type Filled = { text: string } | { unknown: string }

/** Claude Code's `${NAME}` and `${NAME:-default}`. */
function fillShell(text: string, machine: Machine): Filled {
  let unknown: string | undefined
  const filled = text.replaceAll(/\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g, (whole: string, name: string, fallback: string | undefined) => {
    const value = machine.env[name] ?? fallback
    if (value === undefined) unknown ??= `the environment variable ${name}, which is not set here`
    return value ?? whole
  })
  return unknown === undefined ? { text: filled } : { unknown }
}

/** The `${…}` of VS Code and Cursor. */
function fillEditor(text: string, machine: Machine, folder: string | undefined): Filled {
  let unknown: string | undefined
  const filled = text.replaceAll(/\$\{([^}]+)\}/g, (whole: string, variable: string) => {
    const [kind, name = ''] = variable.split(/:(.*)/s)
    const known: Record<string, string | undefined> = {
      env: machine.env[name],
      userHome: machine.home,
      workspaceFolder: folder,
      workspaceFolderBasename: folder === undefined ? undefined : basename(folder),
      pathSeparator: machine.platform === 'win32' ? '\\' : '/',
      '/': machine.platform === 'win32' ? '\\' : '/',
    }
    const value = Object.hasOwn(known, kind ?? '') ? known[kind ?? ''] : undefined
    if (value === undefined)
      unknown ??= kind === 'input' ? `the input ${name}, which the editor asks for` : `${whole}, which is not known here`
    return value ?? whole
  })
  return unknown === undefined ? { text: filled } : { unknown }
}

type Reader = { server: string; place: Location; machine: Machine; missing: MissingSecret[] }

function fill({ place, machine }: Reader, what: string, text: string): Filled {
  let filled: Filled = { text }
  if (place.client === 'claude-code') filled = fillShell(text, machine)
  else if (place.client === 'vscode' || place.client === 'cursor') filled = fillEditor(text, machine, place.folder)
  // Whoever wrote the file, a shared project's say, must not name a secret that is meant for another server.
  if ('text' in filled && filled.text.startsWith('secret:')) throw new Leave(`its ${what} has the form of a reference to the vault`)
  return filled
}

/** A value that may become a reference: what the file does not say has to be stored by somebody who knows it. */
function value(reader: Reader, field: string, text: string): string {
  const filled = fill(reader, field, text)
  if ('text' in filled) return filled.text
  const secret = `${reader.server}.${field.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`.slice(0, 128)
  reader.missing.push({ secret, because: `${JSON.stringify(text)} needs ${filled.unknown}; store the whole value` })
  return `secret:${secret}`
}

/** A value that has to be known now. */
function plain(reader: Reader, what: string, text: string): string {
  const filled = fill(reader, what, text)
  if ('text' in filled) return filled.text
  throw new Leave(`its ${what} needs ${filled.unknown}`)
}

function texts(reader: Reader, what: string, given: unknown): Record<string, string> {
  if (given === undefined) return {}
  if (!isObject(given)) throw new Leave(`its ${what} is not an object`)
  return Object.fromEntries(
    Object.entries(given).map(([name, text]) => {
      if (typeof text !== 'string' && typeof text !== 'number' && typeof text !== 'boolean')
        throw new Leave(`its ${what} ${name} is not text`)
      return [name, value(reader, name, String(text))]
    }),
  )
}

function readStdio(reader: Reader, entry: Values): ServerDraft['transport'] {
  const { command, args = [], env, cwd } = entry
  if (typeof command !== 'string' || command === '') throw new Leave('it has no command')
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === 'string')) throw new Leave('its args are not a list of texts')
  if (entry['envFile'] !== undefined) throw new Leave('it reads its environment from a file')
  const { folder } = reader.place
  const given = typeof cwd === 'string' ? plain(reader, 'cwd', cwd) : undefined
  const at = given === undefined || isAbsolute(given) ? (given ?? folder) : folder === undefined ? undefined : join(folder, given)
  const program = plain(reader, 'command', command)
  return {
    type: 'stdio',
    // `./server` means the project's folder to the client.
    command: /^\.\.?[\\/]/.test(program) && at !== undefined ? resolve(at, program) : program,
    args: args.map((arg, i) => value(reader, `arg${i + 1}`, arg)),
    env: texts(reader, 'environment variable', env),
    ...(at === undefined ? {} : { cwd: at }),
  }
}

function readHttp(reader: Reader, entry: Values): ServerDraft['transport'] {
  const url = plain(reader, 'address', String(entry['url']))
  if (entry['type'] === 'sse' || /\/sse\/?($|\?)/.test(url)) throw new Leave('it speaks the older SSE transport, which Ephor does not')
  const parsed = URL.parse(url)
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') throw new Leave('its address is not http:// or https://')
  const signsIn = ['oauth', 'auth', 'headersHelper'].find((key) => entry[key] !== undefined)
  if (signsIn !== undefined) throw new Leave(`the client signs in to it by itself (${signsIn})`)
  return { type: 'http', url, headers: texts(reader, 'header', entry['headers']) }
}

const TYPES = ['stdio', 'http', 'streamable-http', 'streamableHttp', 'sse']

/** @param server the name that Ephor will give it, which its secrets are named after */
export function readServer(server: string, entry: unknown, place: Location, machine: Machine): ReadServer {
  const reader: Reader = { server, place, machine, missing: [] }
  try {
    if (!isObject(entry)) throw new Leave('it is not an object')
    if (entry['disabled'] === true || entry['enabled'] === false) throw new Leave('it is switched off')
    const { type } = entry
    if (type !== undefined && !(typeof type === 'string' && TYPES.includes(type)))
      throw new Leave(`Ephor does not know its type ${JSON.stringify(type)}`)
    const transport = typeof entry['url'] === 'string' ? readHttp(reader, entry) : readStdio(reader, entry)
    return { transport, missing: reader.missing }
  } catch (error) {
    if (error instanceof Leave) return { leave: error.message }
    throw error
  }
}
