/** What a verb is about: a folder of policy files, a version that the server keeps, or what is active. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { Fault } from '@ephor/contract'
import type { PolicySource } from '@ephor/contract'
import type { Io } from '../output.ts'

const isPolicyFile = (name: string) => !name.startsWith('.') && (name === 'charter.yaml' || /\.(?:cedar|test\.yaml)$/.test(name))

/** Texts by file name; `folder` as it is named in what is said about them. */
export function policyFolder(io: Io, given: string): { files: Record<string, string>; folder: string } {
  const folder = resolve(io.folder, given)
  try {
    const names = readdirSync(folder).filter(isPolicyFile).toSorted()
    return { files: Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')])), folder: given }
  } catch (error) {
    throw new Fault('NOT_FOUND', `the policy folder can't be read: ${(error as Error).message}`, { where: folder })
  }
}

/** @param given `active`, `sha256:…`, or a folder */
export function policySource(io: Io, given: string): { source: PolicySource; folder: string } {
  if (given === 'active') return { source: 'active', folder: '' }
  if (/^sha256:[0-9a-f]{64}$/.test(given)) return { source: { version: given }, folder: '' }
  const { files, folder } = policyFolder(io, given)
  return { source: { files }, folder }
}

/** Where the files are, seen from the working folder: what is published names no path of this machine. */
export const placeOf = (io: Io, folder: string): string => (folder === '' ? '' : relative(io.folder, resolve(io.folder, folder)))
