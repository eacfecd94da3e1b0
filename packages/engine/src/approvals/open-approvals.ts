/** Opens the room: asks persons, takes their decisions, hands out each approval once, and expires what is overdue. */
import { hash } from 'node:crypto'
import { Fault, isId } from '@ephor/contract'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import type { EntryDraft, Ledger } from '@ephor/engine/ledger'
import { deadlineOf, isLive, requireMayDecide, undecidable, unspendable } from './rules.ts'
import {
  findApproval,
  findByKey,
  findLive,
  insertApproval,
  listApprovals,
  listOverdue,
  markDecided,
  markExpired,
  markSpent,
} from './store.ts'
import type { DecisionKey } from './store.ts'
import type { Approval, Approvals, Verdict } from './types.ts'
import { makeWaiting } from './waiting.ts'

/** Expired in one sweep at most; the next one takes the rest. */
const SWEEP_BATCH = 256
const SWEEP_EVERY_MS = 5_000

export type ApprovalsOptions = {
  store: Store
  ledger: Ledger
  clock: Clock
  log: Logger
  /** Whether a person is in a group that a policy asks; identity knows. */
  inGroup: (person: string, group: string) => boolean
}

function entryOf(
  type: 'opened' | 'decided' | 'spent' | 'expired',
  { id, decision, digest }: Approval,
  more: EntryDraft['body'],
): EntryDraft {
  return { type: `approval.${type}`, id: `${id}/${type}`, body: { approval: id, decision, digest, ...more } }
}

/** Hashes, since keys and requests are the client's words; the key salts the request, whose note may be short. */
function decisionKey(id: string, person: string, { idempotencyKey, verdict, digest, note }: Verdict): DecisionKey | undefined {
  if (idempotencyKey === undefined) return undefined
  const key = JSON.stringify([person, idempotencyKey])
  return { key: hash('sha256', key, 'hex'), request: hash('sha256', JSON.stringify([key, id, verdict, digest, note]), 'hex') }
}

export function openApprovals(options: ApprovalsOptions): Approvals {
  const { store, ledger, clock, log, inGroup } = options
  const waiting = makeWaiting(log)

  /** With the note, which is an encrypted payload of the entry. */
  async function find(id: string): Promise<Approval | undefined> {
    const approval = await findApproval(store, id, clock.now())
    if (approval?.decidedBy === undefined) return approval
    const entry = await ledger.find(`${id}/decided`)
    const note = entry && (await ledger.payload(entry.seq, 'note'))
    return typeof note === 'string' ? { ...approval, note } : approval
  }

  async function get(id: string): Promise<Approval> {
    const approval = await find(id)
    if (!approval) throw new Fault('APPROVAL_UNKNOWN', `no approval ${id.slice(0, 40)}`)
    return approval
  }

  async function announce(id: string): Promise<void> {
    const approval = await findApproval(store, id, clock.now())
    if (approval) waiting.tell(approval)
  }

  /** False when something else became of it meanwhile. */
  async function expire(approval: Approval, now: number): Promise<boolean> {
    try {
      const used = approval.decidedBy === undefined ? 'undecided' : 'unused'
      await ledger.append({ changes: [markExpired(approval.id, now)], entries: [entryOf('expired', approval, { was: used })] })
    } catch (error) {
      if (error instanceof Fault && error.code === 'CONFLICT') return false
      throw error
    }
    waiting.tell({ ...approval, state: 'expired' })
    return true
  }

  async function sweep(now: number): Promise<number> {
    const overdue = await listOverdue(store, now, SWEEP_BATCH)
    const expired = await Promise.all(overdue.map((approval) => expire(approval, now)))
    return expired.filter(Boolean).length
  }

  /** The answer to the same request sent before, if it was. @throws Fault IDEMPOTENCY_MISMATCH. */
  async function answeredBefore({ key, request }: DecisionKey): Promise<Approval | undefined> {
    const before = await findByKey(store, key)
    if (!before) return undefined
    if (before.request !== request) throw new Fault('IDEMPOTENCY_MISMATCH', 'the key came with another decision before')
    return get(before.id)
  }

  async function decide(...[id, person, verdict]: Parameters<Approvals['decide']>): Promise<Approval> {
    const key = decisionKey(id, person.id, verdict)
    const before = key && (await answeredBefore(key))
    if (before) return before
    const approval = await get(id)
    requireMayDecide(approval, person.id, inGroup)
    if (approval.digest !== verdict.digest) throw new Fault('CONFLICT', 'the digest is not the one of this approval: look at it again')
    if (approval.state !== 'pending') throw undecidable(approval.state)
    const at = clock.now()
    const state = verdict.verdict === 'approve' ? 'approved' : 'denied'
    const entry = entryOf('decided', approval, { verdict: verdict.verdict, by: person.id, session: person.session })
    const payloads = verdict.note === undefined ? [] : [{ name: 'note', subject: person.id, value: verdict.note }]
    try {
      await ledger.append({ changes: [markDecided(approval, { state, by: person.id, at, key })], entries: [{ ...entry, payloads }] })
    } catch (error) {
      // Somebody was faster: the same request sent twice at once, another person, or the deadline.
      const meanwhile = key && (await answeredBefore(key))
      if (meanwhile) return meanwhile
      throw error
    }
    const { note } = verdict
    const decided: Approval = { ...approval, state, decidedBy: person.id, decidedAt: at }
    waiting.tell(decided)
    return note === undefined ? decided : { ...decided, note }
  }

  const timer = setInterval(() => {
    sweep(clock.now()).catch((error: unknown) => log.error({ err: error }, 'overdue approvals could not be expired; trying again'))
  }, SWEEP_EVERY_MS).unref()

  return {
    open(draft) {
      const now = clock.now()
      const { ttlMs: _, requesters, reasons, asks, ...rest } = draft
      // What isn't an id could be a name or an address, and those stay out of the ledger.
      const people = [...new Set(requesters)].filter((id) => isId('per', id))
      const approval: Approval = {
        ...rest,
        id: clock.id('apr'),
        state: 'pending',
        requesters: people,
        reasons: [...reasons],
        asks: [...asks],
        openedAt: now,
        expiresAt: deadlineOf(draft, now),
      }
      const { agent, server, tool, expiresAt } = approval
      const policies = asks.map(({ policy, group }) => ({ policy, ...(group === undefined ? {} : { group }) }))
      const body = { agent, server, tool, requesters: people, asks: policies, expiresAt }
      return { approval, part: { changes: [insertApproval(approval)], entries: [entryOf('opened', approval, body)] } }
    },
    find,
    async pendingFor(digest) {
      const now = clock.now()
      const approval = await findLive(store, digest, now)
      if (!approval || isLive(approval)) return approval
      // Overdue, but it still holds the digest's place: a new one could not be opened.
      await expire(approval, now)
      return undefined
    },
    spend(approval, { decision, digest }) {
      if (approval.digest !== digest) throw new Fault('APPROVAL_MISMATCH', 'the call is not the one that was approved')
      const at = clock.now()
      if (approval.state !== 'approved') throw unspendable(approval.state)
      if (at >= approval.expiresAt) throw unspendable('expired')
      return { changes: [markSpent(approval.id, { decision, digest, at })], entries: [entryOf('spent', approval, { by: decision })] }
    },
    announce,
    decide,
    async wait(id, ms, signal) {
      const settled = waiting.until(id, signal)
      try {
        const approval = await get(id)
        if (approval.state !== 'pending') return approval
        await settled.within(Math.min(ms, approval.expiresAt - clock.now()))
        return await get(id)
      } finally {
        settled.stop()
      }
    },
    async list({ state, cursor, limit }) {
      const found = await listApprovals(store, { state, before: cursor, limit: limit + 1 }, clock.now())
      const items = found.slice(0, limit)
      const last = items.at(-1)
      return found.length > limit && last ? { items, next: last.id } : { items }
    },
    async argumentsOf({ id, decision }) {
      const entry = await ledger.find(decision)
      const input = entry && (await ledger.payload(entry.seq, 'input'))
      if (input === undefined) throw new Fault('STORE_CORRUPT', `the arguments of ${id} are not in the ledger`)
      return input
    },
    on: (listener) => waiting.on(listener),
    sweep,
    close() {
      clearInterval(timer)
      waiting.close()
    },
  }
}
