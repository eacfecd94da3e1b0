/** A world for this room's tests: the real store and ledger in a scratch folder, a clock that tests move, two agents. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault, makeId } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import { loadKeys, makeLog, sendFault } from '@ephor/engine/kernel'
import type { Keys, Store } from '@ephor/engine/kernel'
import { openTestStore } from '@ephor/engine/kernel/testing'
import { fileSigner, ledgerExtension, ledgerMigrations, openLedger } from '@ephor/engine/ledger'
import type { Ledger } from '@ephor/engine/ledger'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { identityMigrations, mountIdentity, openIdentity } from './index.ts'
import type { Identity } from './index.ts'

export const ORIGIN = 'http://127.0.0.1:7373'
export const [READER, WRITER] = ['agt_reader', 'agt_writer'] as const

export type World = {
  folder: string
  identity: Identity
  ledger: Ledger
  store: Store
  keys: Keys
  clock: { now(): number; move(ms: number): void }
  agents: Set<string>
  app(): FastifyInstance
  /** Closes everything, lets `meanwhile` at the files, and opens it again. */
  restart(meanwhile?: (folder: string) => unknown): Promise<void>
  end(): Promise<void>
}

/** @param before what is there already when identity is opened for the first time */
export async function openWorld(origin: string = ORIGIN, before?: (store: Store, ledger: Ledger) => Promise<unknown>): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-identity-'))
  const keys = loadKeys(join(folder, 'keys'))
  const log = makeLog('silent')
  let now = Date.parse('2026-11-22T12:00:00Z')
  const clock = { now: () => now, id: (prefix: Parameters<typeof makeId>[0]) => makeId(prefix, now, randomBytes(10)) }
  const agents = new Set<string>([READER, WRITER])

  async function open() {
    const outside = join(folder, 'checkpoint')
    const extension = ledgerExtension({ outside })
    const store = await openTestStore({ folder, migrations: [ledgerMigrations, identityMigrations], extension })
    const ledger = await openLedger({ store, keys, signer: fileSigner(keys.ledger), origin: 'ephor.test/log', clock, log, outside })
    await before?.(store, ledger)
    before = undefined
    const identity = await openIdentity({
      store,
      ledger,
      keys,
      clock,
      origin,
      origins: ['http://localhost:7373'],
      isAgent: (id) => agents.has(id),
    })
    return { store, ledger, identity }
  }
  async function close() {
    await opened.ledger.close()
    await opened.store.close()
  }
  let opened = await open()
  return {
    get identity() {
      return opened.identity
    },
    get ledger() {
      return opened.ledger
    },
    get store() {
      return opened.store
    },
    keys,
    clock: { now: () => now, move: (ms) => void (now += ms) },
    agents,
    app() {
      const app = fastify()
      app.setErrorHandler((error, _, reply) => sendFault(reply, error))
      mountIdentity(app, opened.identity)
      return app
    },
    folder,
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

/** The types of all ledger entries, in order. */
export async function entryTypes(ledger: Ledger): Promise<unknown[]> {
  return (await ledger.list({ limit: 500 })).map((entry) => entry.body['type'])
}
