/** Reads the policy folder as somebody meant it to be, not as it is half-way through being written. */
import { setTimeout as pause } from 'node:timers/promises'
import { digestOf, versionOf } from './digest.ts'
import { readFolder } from './read-folder.ts'

const MAX_READINGS = 50

/** Reads the folder until two readings agree: what an editor is half-way through writing is not a policy. */
export async function readSettled(folder: string, seen: string | undefined) {
  let last: string | undefined
  for (let round = 1; ; round++) {
    const read = await readFolder(folder)
    const version = 'files' in read ? versionOf(read.files) : digestOf(read.findings)
    if (version === seen || version === last || round === MAX_READINGS) return { read, version }
    last = version
    await pause(50)
  }
}
