/** Copies the embedded database as it is at one moment, in a thread of its own: the store goes on writing meanwhile. */
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'

export type SnapshotData = { from: string; to: string; tenant: string }
/** `note`: the checkpoint that the copy has. */
export type SnapshotReply = { note: string } | { failed: string }

function snapshot({ from, to, tenant }: SnapshotData): SnapshotReply {
  const source = new Database(from, { readonly: true })
  try {
    // One read transaction over everything; and nothing that was deleted comes along, since every page is written anew.
    source.prepare('VACUUM INTO ?').run(to)
  } finally {
    source.close()
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

function reply(): SnapshotReply {
  try {
    return snapshot(workerData as SnapshotData)
  } catch (error) {
    return { failed: (error as Error).message }
  }
}

parentPort?.postMessage(reply())
