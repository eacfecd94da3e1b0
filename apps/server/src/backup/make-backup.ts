/** Makes a backup of a data folder: database, checkpoint, list of erased keys, policies and settings, as they are at one moment. */
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Fault } from '@ephor/contract'
import type { BackupView } from '@ephor/contract'
import { isoTime, makeFolder } from '@ephor/engine/kernel'
import type { Clock, Keys, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import { readCheckpoint } from '@ephor/proof'
import { fileIn, MIGRATIONS } from '../open-store.ts'
import { VERSION } from '../version.ts'
import { syncFile, writeManifest } from './manifest.ts'
import type { SnapshotData, SnapshotReply } from './snapshot-thread.ts'

/** Of the data folder, beside the database. What is not named here stays behind: credentials, scratch files, other backups. */
const ALSO = ['erased', 'ephor.yaml', 'policies', 'applications']

export type BackupRooms = {
  home: string
  /** Of the database, where the store is on PostgreSQL. */
  url: string | undefined
  store: Store
  ledger: Ledger
  keys: Pick<Keys, 'operator'>
  clock: Clock
}

function sourceOf({ home, url }: BackupRooms): SnapshotData['from'] {
  if (url === undefined) return { file: fileIn(home) }
  return { url, migrations: MIGRATIONS.map(({ room, folder }) => ({ room, folder: folder.href })) }
}

function snapshot(data: SnapshotData): Promise<string> {
  return new Promise((resolve, reject) => {
    const failed = (detail: string) => reject(new Fault('STORE_UNAVAILABLE', `the backup could not be written: ${detail}`))
    const thread = new Worker(new URL('./snapshot-thread.ts', import.meta.url), { workerData: data })
    thread.once('message', (reply: SnapshotReply) => ('failed' in reply ? failed(reply.failed) : resolve(reply.note)))
    thread.once('error', (error: Error) => failed(error.message))
    thread.once('exit', () => failed('its thread ended'))
  })
}

/**
 * @param folder made; it must be empty or not there. Until everything is in it and durable, it is not there.
 * @throws Fault CONFLICT when it holds something, STORE_UNAVAILABLE
 */
export async function makeBackup(rooms: BackupRooms, folder: string, { withKeys }: { withKeys: boolean }): Promise<BackupView> {
  const { home, store, ledger, keys, clock } = rooms
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new Fault('CONFLICT', `${folder} is not empty; choose another folder`, { where: folder })
  // What an earlier attempt left when it was killed is nobody's backup.
  const partial = `${folder}.partial`
  rmSync(partial, { recursive: true, force: true })
  makeFolder(dirname(folder))
  mkdirSync(partial, { mode: 0o700 })
  try {
    await ledger.head()
    const note = await snapshot({ from: sourceOf(rooms), to: join(partial, 'store.db'), tenant: store.tenant })
    writeFileSync(join(partial, 'checkpoint'), note, { mode: 0o600 })
    // After the database: what was erased meanwhile is erased again when the backup is restored.
    for (const name of withKeys ? [...ALSO, 'keys'] : ALSO)
      if (existsSync(join(home, name))) cpSync(join(home, name), join(partial, name), { recursive: true, dereference: true })
    const { size } = readCheckpoint(note)
    const about = { version: VERSION, at: isoTime(clock.now()), tenant: store.tenant, origin: ledger.origin, size, keys: withKeys }
    const { files } = await writeManifest(partial, about, keys.operator)
    if (existsSync(folder)) rmSync(folder, { recursive: true })
    renameSync(partial, folder)
    if (process.platform !== 'win32') syncFile(dirname(folder))
    return { folder, size, files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), keys: withKeys }
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    throw error
  }
}
