/** A world for this room's tests: the real store and ledger in a scratch folder, and a clock that tests move. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault, makeId } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import { loadKeys, makeLog } from '@ephor/engine/kernel'
import type { JsonObject, Store } from '@ephor/engine/kernel'
import { openTestStore } from '@ephor/engine/kernel/testing'
import { fileSigner, ledgerExtension, ledgerMigrations, openLedger } from '@ephor/engine/ledger'
import type { Ledger } from '@ephor/engine/ledger'
import { openRegistry, registryMigrations } from './index.ts'
import type { Registry } from './index.ts'

export const PERSON = 'per_01jd0000000000000000000000'

export type World = {
  registry: Registry
  ledger: Ledger
  store: Store
  clock: { now(): number; move(ms: number): void }
  /** All entries' bodies, in order. */
  entries(): Promise<JsonObject[]>
  /** Closes everything, lets `meanwhile` at the files, and opens it again. */
  restart(meanwhile?: (folder: string) => unknown): Promise<void>
  end(): Promise<void>
}

export async function openWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-registry-'))
  const keys = loadKeys(join(folder, 'keys'))
  let now = Date.parse('2026-11-22T12:00:00Z')
  const clock = { now: () => now, id: (prefix: Parameters<typeof makeId>[0]) => makeId(prefix, now, randomBytes(10)) }

  async function open() {
    const outside = join(folder, 'checkpoint')
    const extension = ledgerExtension({ outside })
    const store = await openTestStore({ folder, migrations: [ledgerMigrations, registryMigrations], extension })
    const ledger = await openLedger({
      store,
      keys,
      signer: fileSigner(keys.ledger),
      origin: 'ephor.test/log',
      clock,
      log: makeLog('silent'),
      outside,
    })
    return { store, ledger, registry: await openRegistry({ store, ledger, clock }) }
  }
  async function close() {
    await opened.ledger.close()
    await opened.store.close()
  }
  let opened = await open()
  return {
    get registry() {
      return opened.registry
    },
    get ledger() {
      return opened.ledger
    },
    get store() {
      return opened.store
    },
    clock: { now: () => now, move: (ms) => void (now += ms) },
    entries: async () => (await opened.ledger.list({ limit: 500 })).map(({ body }) => body),
    async restart(meanwhile) {
      await close()
      await meanwhile?.(folder)
      opened = await open()
    },
    async end() {
      await close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** The code of the fault that the promise fails with. */
export async function faultOf(promise: Promise<unknown>): Promise<FaultCode | 'none'> {
  try {
    await promise
    return 'none'
  } catch (error) {
    if (error instanceof Fault) return error.code
    throw error
  }
}
