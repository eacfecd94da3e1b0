/** Puts the effective settings together, flags over environment over file over defaults, and remembers where each came from. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Fault } from '@ephor/contract'
import { nearest } from '@ephor/engine/kernel'
import { parse, YAMLParseError } from 'yaml'
import { SETTING_NAMES, Settings } from './schema.ts'

type Source = 'default' | 'file' | 'environment' | 'flag'
export type EffectiveSetting = { name: string; value: unknown; source: Source; from?: string; description: string }
/** Paths are absolute, and the policy folder is known. */
export type EffectiveSettings = Settings & { policyFolder: string; applicationsFolder: string }
export type LoadedSettings = { settings: EffectiveSettings; effective: EffectiveSetting[]; file: string | undefined }

export type SettingsInput = {
  /** By dotted name, as `SETTING_NAMES` lists them. */
  flags: Record<string, unknown>
  environment: Record<string, string | undefined>
  /** `--config`. */
  config?: string | undefined
  folder: string
}

/** Words of the environment that are not settings of the server: where a client finds it, and who it is. */
const CLIENT_WORDS = ['EPHOR_CONFIG', 'EPHOR_URL', 'EPHOR_CREDENTIAL']

const known = new Map(SETTING_NAMES.map((name) => [name.path, name]))

type Given = { value: unknown; source: Source; from: string }

function unknownSetting(word: string, where: string, candidates: readonly string[]): Fault {
  const near = nearest(word, candidates)
  return new Fault('SETTINGS_INVALID', `${where} has an unknown setting "${word}"${near ? `; did you mean "${near}"?` : ''}`)
}

function flatten(value: unknown, prefix: string, file: string): [string, unknown][] {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new Fault(
      'SETTINGS_INVALID',
      `${file}: ${prefix === '' ? 'the file' : `"${prefix.slice(0, -1)}"`} must be a list of names and values`,
    )
  return Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
    const path = prefix + key
    if (known.has(path)) return [[path, inner]]
    if ([...known.keys()].some((name) => name.startsWith(`${path}.`))) return flatten(inner, `${path}.`, file)
    throw unknownSetting(path, file, [...known.keys(), 'limits', 'calls', 'approvals', 'mcp'])
  })
}

function readFile(file: string): [string, unknown][] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Fault('SETTINGS_INVALID', `the settings file can't be read: ${(error as Error).message}`)
  }
  try {
    const value: unknown = parse(text)
    return value === null ? [] : flatten(value, '', file)
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error
    const at = error.linePos?.[0]
    throw new Fault('SETTINGS_INVALID', `${file}${at ? `:${at.line}:${at.col}` : ''} is not YAML: ${error.message.split('\n')[0]}`)
  }
}

function readEnvironment(environment: SettingsInput['environment']): [string, string, string][] {
  const byWord = new Map(SETTING_NAMES.map((name) => [name.environment, name.path]))
  return Object.entries(environment).flatMap(([word, value]): [string, string, string][] => {
    if (!word.startsWith('EPHOR_') || CLIENT_WORDS.includes(word) || value === undefined) return []
    const path = byWord.get(word)
    if (!path) throw unknownSetting(word, 'the environment', [...byWord.keys(), ...CLIENT_WORDS])
    return [[path, value, word]]
  })
}

function nest(given: Map<string, Given>): Record<string, unknown> {
  const top: Record<string, unknown> = {}
  for (const [path, { value }] of given) {
    const names = path.split('.')
    const last = names.pop() ?? ''
    let place = top
    // The names are the schema's own: nothing from outside names a property here.
    for (const name of names) place = (place[name] ??= {}) as Record<string, unknown>
    place[last] = value
  }
  return top
}

function read(settings: Settings, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], settings)
}

/** What is shown of an address: people paste what a program prints into tickets. */
function withoutPassword(url: string | undefined): string | undefined {
  return url?.replace(/^([^:]+:\/\/[^:@/]*):[^@]*@/, '$1:***@').replaceAll(/([?&]password=)[^&]*/gi, '$1***')
}

function gather(input: SettingsInput): { given: Map<string, Given>; file: string | undefined } {
  const given = new Map<string, Given>()
  const environment = readEnvironment(input.environment)
  const named = input.config ?? input.environment['EPHOR_CONFIG']
  const home = input.flags['home'] ?? input.environment['EPHOR_HOME'] ?? '.ephor'
  const usual = join(resolve(input.folder, typeof home === 'string' ? home : '.ephor'), 'ephor.yaml')
  const file = named ? resolve(input.folder, named) : existsSync(usual) ? usual : undefined
  if (file)
    for (const [path, value] of readFile(file)) {
      if (path === 'home') throw new Fault('SETTINGS_INVALID', `${file}: "home" can't be set in the file; use EPHOR_HOME or --home`)
      given.set(path, { value, source: 'file', from: file })
    }
  for (const [path, value, word] of environment) given.set(path, { value, source: 'environment', from: word })
  for (const [path, value] of Object.entries(input.flags)) {
    const name = known.get(path)
    if (name && value !== undefined) given.set(path, { value, source: 'flag', from: name.flag })
  }
  return { given, file }
}

/** @throws Fault SETTINGS_INVALID with one sentence: which setting, where it was set, what it should be. */
export function loadSettings(input: SettingsInput): LoadedSettings {
  const { given, file } = gather(input)
  const parsed = Settings.safeParse(nest(given))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const path = (issue?.path ?? []).join('.')
    const place = given.get(path)
    throw new Fault('SETTINGS_INVALID', `the setting "${path}"${place ? ` (from ${place.from})` : ''} ${issue?.message ?? 'is not valid'}`)
  }
  const home = resolve(input.folder, parsed.data.home)
  const policyFolder = parsed.data.policyFolder ? resolve(input.folder, parsed.data.policyFolder) : join(home, 'policies')
  const applications = parsed.data.applicationsFolder
  const applicationsFolder = applications ? resolve(input.folder, applications) : join(home, 'applications')
  const settings: EffectiveSettings = { ...parsed.data, home, policyFolder, applicationsFolder }
  const effective = SETTING_NAMES.map(({ path, description }): EffectiveSetting => {
    const place = given.get(path)
    return {
      name: path,
      value: path === 'store.url' ? withoutPassword(settings.store.url) : read(settings, path),
      source: place?.source ?? 'default',
      ...(place ? { from: place.from } : {}),
      description,
    }
  })
  return { settings, effective, file }
}
