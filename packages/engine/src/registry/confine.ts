/** Confinement: which of a call's path arguments lie inside the folders that an operator gave a server. */
import { lstatSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Json, JsonObject } from '@ephor/engine/kernel'

/** More paths in one call than this are not looked at one by one: the rest counts as outside. */
const MAX_PATHS = 256
/** PATH_MAX of Linux; also bounds the work that one argument can cause. */
const MAX_LENGTH = 4096
const MAX_VARIANTS = 16

const isMissing = (error: unknown) => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')

/** Whether something is there, be it a link that leads nowhere. @throws where that can't be known. */
function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/**
 * The place that an absolute path without `..` leads to: links followed as far as the path exists, the rest as written.
 * Undefined when that can't be known (a dangling link, a loop, no permission).
 */
function realOf(path: string): string | undefined {
  try {
    return realpathSync.native(path)
  } catch (error) {
    if (!isMissing(error)) return undefined
  }
  let existing = path
  let rest = ''
  try {
    while (!exists(existing)) {
      if (existing === dirname(existing)) return undefined
      rest = join(basename(existing), rest)
      existing = dirname(existing)
    }
    const real = realpathSync.native(existing)
    return rest === '' ? real : join(real, rest)
  } catch {
    // It is there but leads nowhere: a write through a dangling link creates the file where the link points.
    return undefined
  }
}

/** As the operating system walks it: `..` after a link goes to the parent of where the link leads, not back along the text. */
function walk(path: string): string | undefined {
  let at: string | undefined = resolve(path.slice(0, path.indexOf('..')))
  for (const part of path.slice(path.indexOf('..')).split(sep === '/' ? /\/+/ : /[\\/]+/)) {
    at = realOf(at)
    if (at === undefined) return undefined
    at = part === '..' ? dirname(at) : join(at, part)
  }
  return realOf(at)
}

const isInside = (folder: string, path: string) => path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

const lenientDecode = (text: string) =>
  text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'))

/** What another reader may take the same text for. Each reading has to be inside. */
function readings(text: string): Set<string> | undefined {
  // Nothing in it that any reader would take for something else.
  if (/^[\w./-]+$/.test(text)) return new Set([text])
  const all = new Set([text])
  for (const reading of all) {
    if (all.size > MAX_VARIANTS) return undefined
    all.add(reading.trim())
    all.add(lenientDecode(reading))
    all.add(reading.replaceAll('\\', '/'))
    all.add(reading.normalize('NFC'))
    all.add(reading.normalize('NFKC'))
  }
  return all
}

function isUnresolvable(text: string): boolean {
  if (text === '' || text.includes('\0')) return true
  // A shell, a home folder or another machine decides what these mean.
  if (text.startsWith('~') || text.startsWith('$') || /\$[{(]/.test(text) || text.startsWith('\\\\')) return true
  if (/^[a-z][a-z0-9+.-]+:/i.test(text)) return true
  return process.platform === 'win32' ? text.indexOf(':', 2) !== -1 : /^[a-z]:/i.test(text)
}

/** Where one reading of a path argument leads, by its text and by the links on the way. Undefined when it can't be known. */
function placesOf(base: string, reading: string): string[] | undefined {
  let path = reading
  if (/^file:/i.test(path)) {
    try {
      path = fileURLToPath(path)
    } catch {
      return undefined
    }
  }
  if (isUnresolvable(path)) return undefined
  const absolute = isAbsolute(path) ? path : `${base}${sep}${path}`
  const places = [realOf(resolve(absolute))]
  if (/(^|[\\/])\.\.([\\/]|$)/.test(absolute)) places.push(walk(absolute))
  return places.includes(undefined) ? undefined : (places as string[])
}

/** The canonical path, and whether every reading of the text stays inside. */
function judge(roots: readonly string[], text: string): { path: string; inside: boolean } {
  if (text.length > MAX_LENGTH) return { path: text.slice(0, 200), inside: false }
  const all = readings(text)
  const [base] = roots
  if (!all || base === undefined) return { path: text, inside: false }
  let path: string | undefined
  for (const reading of all) {
    const places = placesOf(base, reading)
    path ??= places?.[0]
    if (!places?.every((place) => roots.some((root) => isInside(root, place)))) return { path: path ?? text, inside: false }
  }
  return { path: path ?? text, inside: true }
}

/** The values at a pointer with `*`; what is absent or null is no path. */
function valuesAt(value: Json | undefined, tokens: readonly string[]): Json[] {
  if (value === undefined || value === null) return []
  const [token, ...rest] = tokens
  if (Array.isArray(value)) return value.flatMap((item) => valuesAt(item, token === '*' ? rest : tokens))
  if (token === undefined || (token === '*' && typeof value !== 'object')) return [value]
  // A scalar where an object was declared: no path that can be judged.
  if (typeof value !== 'object') return [[value]]
  if (token === '*') return Object.values(value).flatMap((item) => valuesAt(item, rest))
  return Object.hasOwn(value, token) ? valuesAt(value[token], rest) : []
}

/**
 * @param folders absolute; relative paths count from the first
 * @param paths JSON pointers (RFC 6901) into `input`, with `*` for every element
 * @returns `all`: the canonical paths found (text that can't be resolved, as it is); `outside`: those of them that are not,
 *   in every reading of their text, inside one of the folders. Without folders everything is outside.
 */
export function confine(folders: readonly string[], input: JsonObject, paths: readonly string[]): { all: string[]; outside: string[] } {
  const roots = folders.map((folder) => realOf(resolve(folder))).filter((root) => root !== undefined)
  const all: string[] = []
  const outside: string[] = []
  const values = paths.flatMap((pointer) =>
    valuesAt(
      input,
      pointer
        .split('/')
        .slice(1)
        .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~')),
    ),
  )
  for (const value of values.slice(0, MAX_PATHS)) {
    const { path, inside } = typeof value === 'string' ? judge(roots, value) : { path: JSON.stringify(value).slice(0, 200), inside: false }
    all.push(path)
    if (!inside) outside.push(path)
  }
  if (values.length > MAX_PATHS) {
    const rest = `(${values.length - MAX_PATHS} more paths)`
    all.push(rest)
    outside.push(rest)
  }
  return { all, outside }
}
