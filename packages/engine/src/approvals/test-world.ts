/** A world for this room's tests: the real store, ledger and identity, a clock that tests move, and a held call to approve. */
import { hash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault, makeId } from '@ephor/contract'
import type { FaultCode, IdPrefix, PersonPrincipal } from '@ephor/contract'
import { identityMigrations, openIdentity } from '@ephor/engine/identity'
import type { Identity } from '@ephor/engine/identity'
import { loadKeys, makeLog, sendFault } from '@ephor/engine/kernel'
import type { Json } from '@ephor/engine/kernel'
import { alterStore, openTestStore } from '@ephor/engine/kernel/testing'
import { fileSigner, ledgerExtension, ledgerMigrations, openLedger } from '@ephor/engine/ledger'
import type { Ledger } from '@ephor/engine/ledger'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { expect } from 'vitest'
import { approvalsMigrations, mountApprovals, openApprovals } from './index.ts'
import type { Approval, ApprovalDraft, Approvals } from './index.ts'

export const AGENT = 'agt_writer'
export const MINUTE = 60_000

export type World = {
  approvals: Approvals
  ledger: Ledger
  identity: Identity
  clock: { now(): number; move(ms: number): void }
  newPerson(groups?: string[]): Promise<PersonPrincipal>
  /** Holds a call, as the broker does: the decision and the approval in one unit. */
  hold(draft?: Partial<ApprovalDraft>, input?: Json, stated?: { server?: string; onBehalfOf?: string }): Promise<Approval>
  /** Spends, as the broker does: with a new decision in one unit. Answers with 'none' or the fault. */
  spend(approval: Approval, digest?: string): Promise<FaultCode | 'none'>
  app(): FastifyInstance
  /** Somebody who can write the database, past Ephor. */
  tamper(sql: string, ...params: (string | number)[]): Promise<void>
  restart(): Promise<void>
  end(): Promise<void>
}

/** A digest of its own for every text. */
export function digestOf(text: string): string {
  return `sha256:${hash('sha256', text, 'hex')}`
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

export async function openWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-approvals-'))
  const keys = loadKeys(join(folder, 'keys'))
  const log = makeLog('silent')
  let now = Date.parse('2026-11-22T12:00:00Z')
  let calls = 0
  const clock = { now: () => now, id: (prefix: IdPrefix) => makeId(prefix, now, randomBytes(10)) }

  async function open() {
    const outside = join(folder, 'checkpoint')
    const store = await openTestStore({
      folder,
      migrations: [ledgerMigrations, identityMigrations, approvalsMigrations],
      extension: ledgerExtension({ outside }),
    })
    const ledger = await openLedger({ store, keys, signer: fileSigner(keys.ledger), origin: 'ephor.test/log', clock, log, outside })
    const identity = await openIdentity({ store, ledger, keys, clock, origin: 'http://127.0.0.1:7373', isAgent: (id) => id === AGENT })
    const inGroup = (person: string, group: string) => identity.person(person)?.groups.includes(group) === true
    return { store, ledger, identity, approvals: openApprovals({ store, ledger, clock, log, inGroup }) }
  }
  async function close() {
    opened.approvals.close()
    await opened.ledger.close()
    await opened.store.close()
  }
  let opened = await open()

  return {
    get approvals() {
      return opened.approvals
    },
    get ledger() {
      return opened.ledger
    },
    get identity() {
      return opened.identity
    },
    clock: { now: () => now, move: (ms) => void (now += ms) },
    async newPerson(groups = []) {
      const { id } = await opened.identity.addPerson({ name: 'Somebody', groups }, opened.identity.operator)
      return { kind: 'person', id, session: clock.id('ses') }
    },
    async hold(draft = {}, input = { from: '/a', to: '/b' }, stated = {}) {
      const decision = clock.id('dec')
      const { approval, part } = opened.approvals.open({
        decision,
        digest: digestOf(`call ${calls++}`),
        agent: AGENT,
        server: 'files',
        tool: 'move_file',
        summary: 'move_file on files',
        requesters: [],
        reasons: [{ policy: 'hold-destructive', text: 'It cannot be undone.' }],
        asks: [{ policy: 'hold-destructive', reason: 'It cannot be undone.', quorum: 1 }],
        ttlMs: 15 * MINUTE,
        ...draft,
      })
      const server = draft.server ?? 'files'
      const value = { server, name: draft.tool ?? 'move_file', input, ...stated }
      const held = { type: 'decision', id: decision, body: { effect: 'hold' }, payloads: [{ name: 'input', subject: AGENT, value }] }
      await opened.ledger.append({ changes: part.changes, entries: [held, ...part.entries] })
      await opened.approvals.announce(approval.id)
      return approval
    },
    async spend(approval, digest = approval.digest) {
      const { approvals, ledger } = opened
      return faultOf(
        (async () => {
          const decision = clock.id('dec')
          const { changes, entries } = await approvals.spend(approval, { decision, digest })
          await ledger.append({ changes, entries: [{ type: 'decision', id: decision, body: { effect: 'permit' } }, ...entries] })
          await approvals.announce(approval.id)
        })(),
      )
    },
    app() {
      const app = fastify()
      app.setErrorHandler((error, _, reply) => sendFault(reply, error))
      mountApprovals(app, opened.approvals, opened.identity.authenticate)
      return app
    },
    async tamper(sql, ...params) {
      expect(await alterStore(folder, sql, params)).toBeGreaterThan(0)
    },
    async restart() {
      await close()
      opened = await open()
    },
    async end() {
      await close()
      rmSync(folder, { recursive: true })
    },
  }
}
