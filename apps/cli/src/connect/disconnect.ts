/** Undoes a connection: the original comes back exactly, or, when the file was edited since, what we took is put back into it. */
import { existsSync, rmSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import { edit, parseConfiguration, sectionOf } from './configuration.ts'
import { readConnections, writeConnections } from './connections.ts'
import type { Connection } from './connections.ts'
import { ENTRY } from './entry-for.ts'
import { digestOf, readWhole, replaceFile } from './files.ts'
import type { Disconnected } from './types.ts'

/** Files that are connected now, each once. */
export function connectedFiles(home: string): string[] {
  return [...new Set(readConnections(home).map(({ file }) => file))]
}

function readBackup({ backup, before, file }: Connection): Buffer {
  if (!existsSync(backup)) throw new Fault('NOT_FOUND', `the backup ${backup} is gone; ${file} was left as it is`, { where: backup })
  const { bytes, digest } = readWhole(backup)
  if (digest !== before) throw new Fault('CONFLICT', `the backup ${backup} was changed; ${file} was left as it is`, { where: backup })
  return bytes
}

/** Takes our entry out of the text and puts back the servers that are not there. */
function merge(text: string, connection: Connection, original: Buffer): { text: string; servers: string[] } {
  const { file, entry, servers } = connection
  const before = parseConfiguration(original.toString(), file)
  const put: string[] = []
  let merged = text
  const had = sectionOf(before, entry)?.[ENTRY]
  if (sectionOf(parseConfiguration(merged, file), entry)?.[ENTRY] !== undefined) merged = edit(merged, [...entry, ENTRY], had)
  for (const { name, section } of servers) {
    if (sectionOf(parseConfiguration(merged, file), section)?.[name] !== undefined) continue
    merged = edit(merged, [...section, name], sectionOf(before, section)?.[name])
    put.push(name)
  }
  return { text: merged, servers: put }
}

function undo(connection: Connection): Disconnected {
  const { file, backup, before, after } = connection
  const servers = connection.servers.map(({ name }) => name)
  const original = readBackup(connection)
  const exists = existsSync(file)
  const digest = exists ? readWhole(file).digest : undefined
  if (digest === before) {
    rmSync(backup)
    return { file, kind: 'unchanged', servers: [], detail: 'it is as it was before Ephor' }
  }
  if (digest === undefined || digest === after) {
    replaceFile(file, original, digest)
    rmSync(backup)
    return { file, kind: 'restored', servers, detail: exists ? 'it is exactly as it was' : 'it was gone and is back as it was' }
  }
  const now = readWhole(file)
  const merged = merge(now.bytes.toString(), connection, original)
  replaceFile(file, Buffer.from(merged.text), digestOf(now.bytes))
  const detail = `it was edited since, so only the ${ENTRY} entry was taken out and its servers were put back; the backup stays at ${backup}`
  return { file, kind: 'merged', servers: merged.servers, backup, detail }
}

/**
 * Undoes every rewrite of the file, the last one first. The servers stay registered in Ephor.
 * @throws Fault NOT_FOUND when the file was never connected, or its backup is gone; CONFLICT when the backup was changed
 */
export function disconnect(file: string, home: string): Disconnected[] {
  const own = readConnections(home).filter((connection) => connection.file === file)
  if (own.length === 0) throw new Fault('NOT_FOUND', `${file} is not connected`, { where: file })
  return own.toReversed().map((connection) => {
    const done = undo(connection)
    const rest = readConnections(home)
    writeConnections(
      home,
      rest.filter(({ backup }) => backup !== connection.backup),
    )
    return done
  })
}
