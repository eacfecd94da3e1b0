/** A ledger on a real store in a scratch folder, for the tests of this room. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadKeys, makeLog, openSqlite, systemClock } from '@ephor/engine/kernel'
import type { Clock, Store } from '@ephor/engine/kernel'
import { fileSigner, ledgerExtension, ledgerMigrations, openLedger } from './index.ts'
import type { EntryDraft, Ledger, Signer } from './index.ts'

export const ORIGIN = 'ledger.test/ephor'

export type World = { folder: string; file: string; outside: string; store: Store; ledger: Ledger; close: () => Promise<void> }

export function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'ephor-ledger-'))
}

/** `module`: another extension module, which wraps the ledger's. */
type WorldOptions = { module?: URL; signer?: Signer; tenant?: string; clock?: Clock }

export async function openWorld(folder = scratch(), { module, signer, tenant = 'default', clock = systemClock }: WorldOptions = {}): Promise<World> {
  const keys = loadKeys(join(folder, 'keys'))
  const file = join(folder, 'ephor.db')
  const outside = join(folder, 'checkpoint')
  const extension = ledgerExtension({ outside })
  const store = await openSqlite({ file, tenant, migrations: [ledgerMigrations], extension: module ? { ...extension, module } : extension })
  try {
    const ledger = await openLedger({
      store,
      keys,
      signer: signer ?? fileSigner(keys.ledger),
      origin: ORIGIN,
      clock,
      log: makeLog('silent'),
      outside,
    })
    return {
      folder,
      file,
      outside,
      store,
      ledger,
      async close() {
        await ledger.close()
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

export function decision(id: string, input = 'payload'): EntryDraft {
  return {
    type: 'decision',
    id,
    body: { effect: 'permit', reasons: ['permit-reads'] },
    payloads: [{ name: 'input', subject: 'agt_1', value: { text: input } }],
  }
}

/** Appends decisions with ids `<prefix>0` … one after another in batches. */
export async function appendMany(ledger: Ledger, count: number, prefix = 'd'): Promise<void> {
  for (let at = 0; at < count; at += 100) {
    const ids = Array.from({ length: Math.min(100, count - at) }, (_, i) => `${prefix}${at + i}`)
    await Promise.all(ids.map((id) => ledger.append({ changes: [], entries: [decision(id)] })))
  }
}
