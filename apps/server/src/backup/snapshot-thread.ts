/** Copies the database as it is at one moment, in a thread of its own: the store goes on writing meanwhile. */
import { parentPort, workerData } from 'node:worker_threads'
import { copyFromPostgres } from '@ephor/engine/kernel'
import Database from 'better-sqlite3'

/** `from`: the embedded store's file, or a database with the folders (as URLs) of what brings a store up to date. */
export type SnapshotData = {
  from: { file: string } | { url: string; migrations: { room: string; folder: string }[] }
  to: string
  tenant: string
}
/** `note`: the checkpoint that the copy has. */
export type SnapshotReply = { note: string } | { failed: string }

function copyFile(from: string, to: string): void {
  const source = new Database(from, { readonly: true })
  try {
    // One read transaction over everything; and nothing that was deleted comes along, since every page is written anew.
    source.prepare('VACUUM INTO ?').run(to)
  } finally {
    source.close()
  }
}

async function snapshot({ from, to, tenant }: SnapshotData): Promise<SnapshotReply> {
  if ('file' in from) copyFile(from.file, to)
  else {
    const migrations = from.migrations.map(({ room, folder }) => ({ room, folder: new URL(folder) }))
    await copyFromPostgres({ file: to, url: from.url, tenant, migrations })
  }
  const copy = new Database(to, { readonly: true })
  try {
    const [check] = copy.pragma('quick_check') as { quick_check: string }[]
    if (check?.quick_check !== 'ok') return { failed: `the copy is damaged: ${check?.quick_check}` }
    const row = copy.prepare('SELECT note FROM ledger_checkpoint WHERE tenant = ?').get(tenant) as { note: string } | undefined
    return row ? { note: row.note } : { failed: 'the ledger has no checkpoint yet' }
  } finally {
    copy.close()
  }
}

async function reply(): Promise<SnapshotReply> {
  try {
    return await snapshot(workerData as SnapshotData)
  } catch (error) {
    return { failed: (error as Error).message }
  }
}

parentPort?.postMessage(await reply())
