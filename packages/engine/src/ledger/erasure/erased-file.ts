/** The file `erased` beside the checkpoint: which keys were destroyed, so that no older copy of the database brings one back. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { Fault } from '@ephor/contract'

const FIRST = 'ephor-erased@v1'

/** Digests of wrapped keys, by the keys' names: a name has one key, but for what somebody made by hand. */
export type Erased = Map<string, string>

/** @throws Fault STORE_CORRUPT for a file that is something else */
function parseErased(text: string): Erased {
  const [first, ...lines] = text.split('\n')
  if (first !== FIRST) throw new Fault('STORE_CORRUPT', 'the list of erased keys is something else')
  const erased: Erased = new Map()
  for (const line of lines) {
    // A line that a crash cut short is written again: the database knows it.
    const [, digest, name] = /^(sha256:[0-9a-f]{64}) (\S+)$/.exec(line) ?? []
    if (digest !== undefined && name !== undefined) erased.set(name, digest)
  }
  return erased
}

/** How the list says that the names of a subject are erased. No key is called so: it has no day. */
export const nameOf = (subject: string): string => `${subject}/name`
export const subjectOfName = (name: string): string | undefined => /^([^/]+)\/name$/.exec(name)?.[1]

export function readErased(file: string): Erased {
  return existsSync(file) ? parseErased(readFileSync(file, 'utf8')) : new Map()
}

/** Durable when it returns. @throws what the file system throws */
export function appendErased(file: string, erased: Iterable<readonly [name: string, digest: string]>): void {
  const isNew = !existsSync(file)
  // Behind a line that was cut short, a new one begins: an empty line says nothing.
  const text = `${isNew ? FIRST : ''}\n${[...erased].map(([name, digest]) => `${digest} ${name}`).join('\n')}\n`
  const opened = openSync(file, 'a', 0o600)
  try {
    writeSync(opened, text)
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}
