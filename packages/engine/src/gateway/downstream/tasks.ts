/**
 * Calls as tasks, for clients that can wait for them: a held call becomes one that ends when a person decides. A task is
 * no state of its own: it is read from the approval and the ledger, so it is there after a restart, and its id opens
 * nothing for another credential or session.
 */
import { FAULTS, isId } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import type { Approval, Approvals } from '@ephor/engine/approvals'
import { digestSession } from '@ephor/engine/broker'
import type { Broker, DecisionDetail, Held, Performed } from '@ephor/engine/broker'
import { isoTime } from '@ephor/engine/kernel'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import type { ProtocolError } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { answerOf } from './answer-of.ts'
import { JsonObjectSchema } from './caller.ts'
import type { Caller } from './caller.ts'
import { performCall } from './perform-call.ts'
import type { CallDeps } from './perform-call.ts'
import { META_APPROVAL, asProtocolError, invalidParams } from './replies.ts'

export type TaskAnswer = { result: JsonObject } | { error: ProtocolError }

export type TaskState = {
  id: string
  status: 'working' | 'ended' | 'cancelled'
  /** For people and language models. */
  message: string
  /** ms */
  createdAt: number
  updatedAt: number
  /** ms from its creation; null: for as long as the ledger keeps the result. */
  ttlMs: number | null
  /** Where it ended. */
  answer?: TaskAnswer
}

export type Tasks = {
  /** The task that a held call became. */
  held(held: Held): TaskState
  /** How a task stands; one that a person decided is run now, with the credential of whoever asks. @throws ProtocolError -32602 */
  get(caller: Caller, id: string): Promise<TaskState>
  /** The same, once it is no longer working. */
  wait(caller: Caller, id: string): Promise<TaskState>
  /** @throws ProtocolError -32602 for one that isn't there */
  cancel(caller: Caller, id: string): Promise<TaskState>
}

export type TaskDeps = CallDeps & {
  broker: Pick<Broker, 'perform' | 'visible' | 'show'>
  approvals: Pick<Approvals, 'find' | 'wait' | 'callOf' | 'withdraw'>
  ledger: Pick<Ledger, 'find'>
  now: () => number
  /** The sessions that an agent has open. */
  openSessions: (agent: string) => string[]
}

/** A decided call on its way, or one that was refused: the ledger has the answers of those that ran. */
type Settling = { controller: AbortController; done: Promise<void>; answer?: TaskAnswer }

const IntentBody = z.looseObject({ principal: z.looseObject({ credential: z.string() }) })
const OutcomeBody = z.looseObject({ fault: z.string().refine((code): code is FaultCode => Object.hasOwn(FAULTS, code)) })

/** Answers kept at most. */
const MAX_KEPT = 1024
/** How long one look at an approval waits for it, in ms. */
const WAIT_MS = 30_000

const DECIDED = 'A person has decided; the call is on its way'
const waitsUntil = (ms: number) => `Waits for a person who may approve it, until ${isoTime(ms)}`
const unknown = () => invalidParams('params/taskId: no such task')

export function createTasks(deps: TaskDeps): Tasks {
  const { approvals, broker, ledger } = deps
  const settling = new Map<string, Settling>()

  /** A session that is gone, as after a restart, leaves its tasks to the credential; one that is open does not. */
  function isOwnSession({ principal, session, stateless }: Caller, sealed: string): boolean {
    if (sealed === digestSession(principal.credential, session)) return true
    return !stateless && !deps.openSessions(principal.id).some((open) => digestSession(principal.credential, open) === sealed)
  }

  /** A decision on a call of this very caller. */
  async function own(caller: Caller, decision: string): Promise<DecisionDetail> {
    const [detail, entry] = await Promise.all([broker.show(decision, caller.principal), ledger.find(decision)])
    const body = IntentBody.safeParse(entry?.body)
    if (detail === undefined || detail.door !== 'mcp' || detail.method !== 'tools/call' || !body.success) throw unknown()
    if (body.data.principal.credential !== caller.principal.credential || !isOwnSession(caller, detail.session)) throw unknown()
    return detail
  }

  /** What a decision came to, from the record; undefined while it runs. */
  async function performedOf(detail: DecisionDetail): Promise<Performed | undefined> {
    const { id: decision, receipt, reasons, outcome, outcomeReceipt, result } = detail
    const sealed = { decision, receipt, reasons }
    if (detail.effect === 'deny') return { ...sealed, kind: 'refused', fault: detail.fault ?? 'POLICY_DENIED', detail: detail.detail ?? '' }
    if (outcome === undefined || outcomeReceipt === undefined) return undefined
    if (result !== undefined) return { ...sealed, kind: 'done', outcomeReceipt, isError: outcome !== 'succeeded', value: result }
    const body = OutcomeBody.safeParse((await ledger.find(`${decision}/outcome`))?.body)
    const kind = outcome === 'unknown' ? 'unknown' : 'failed'
    return { ...sealed, kind, outcomeReceipt, fault: body.success ? body.data.fault : 'UPSTREAM_ERROR', detail: '' }
  }

  function read(caller: Caller, performed: Performed): TaskAnswer {
    try {
      return { result: answerOf(caller, 'tools/call', performed) }
    } catch (error) {
      return { error: asProtocolError(error) }
    }
  }

  async function ofDecision(caller: Caller, detail: DecisionDetail, base: Omit<TaskState, 'status' | 'message'>): Promise<TaskState> {
    const performed = await performedOf(detail)
    if (performed === undefined) return { ...base, status: 'working', message: 'The call runs' }
    return { ...base, status: 'ended', message: 'The call has ended', answer: read(caller, performed) }
  }

  /** Makes the held call again now that a person has decided: the policy is evaluated again, and the approval used up. */
  async function settle(caller: Caller, approval: Approval): Promise<void> {
    const { name, arguments: input } = await approvals.callOf(approval)
    if (settling.has(approval.id)) return
    const controller = new AbortController()
    const params = {
      name: deps.catalog.exposed(caller.principal, approval.server, name),
      arguments: JsonObjectSchema.parse(input),
      _meta: { [META_APPROVAL]: approval.id },
    }
    const { principal, bearer, session, stateless } = caller
    const alone: Caller = {
      principal,
      bearer,
      session,
      stateless,
      origin: approval.id,
      signal: controller.signal,
      clientCapabilities: {},
      notify: () => undefined,
      ask: () => Promise.reject(new Error('nobody waits to be asked')),
      logLevel: () => undefined,
    }
    const entry: Settling = { controller, done: Promise.resolve() }
    settling.set(approval.id, entry)
    entry.done = performCall(deps, alone, 'tools/call', params)
      .then(
        ({ result }) => void (entry.answer = { result }),
        (error: unknown) => void (entry.answer = { error: asProtocolError(error) }),
      )
      .then(() => forgetRun(approval.id, controller.signal))
    for (const [id, { answer }] of settling) {
      if (settling.size <= MAX_KEPT) break
      if (answer !== undefined) settling.delete(id)
    }
  }

  /** What ran is read from the ledger from now on. */
  async function forgetRun(id: string, signal: AbortSignal): Promise<void> {
    const approval = await approvals.find(id).catch(() => undefined)
    if (approval?.state === 'spent' && !signal.aborted) settling.delete(id)
  }

  async function ofApproval(caller: Caller, approval: Approval): Promise<TaskState> {
    const { id, openedAt, decidedAt, expiresAt } = approval
    const base = { id, createdAt: openedAt, updatedAt: decidedAt ?? openedAt, ttlMs: expiresAt - openedAt }
    const known = settling.get(id)
    if (known?.controller.signal.aborted === true) return { ...base, status: 'cancelled', message: 'The agent gave the call up' }
    if (known?.answer !== undefined) return { ...base, status: 'ended', message: 'The call has ended', answer: known.answer }
    if (known !== undefined) return { ...base, status: 'working', message: DECIDED }
    if (approval.state === 'pending') return { ...base, status: 'working', message: waitsUntil(expiresAt) }
    if (approval.state === 'expired')
      return { ...base, status: 'cancelled', message: 'Nobody approved it in time, or the agent gave it up' }
    if (approval.state === 'spent') {
      const detail = await broker.show(approval.spentBy ?? '', caller.principal)
      if (detail === undefined) throw unknown()
      return ofDecision(caller, detail, base)
    }
    await settle(caller, approval)
    return { ...base, status: 'working', message: DECIDED }
  }

  async function find(caller: Caller, id: string): Promise<Approval> {
    const approval = await approvals.find(id)
    if (approval === undefined || approval.agent !== caller.principal.id) throw unknown()
    await own(caller, approval.decision)
    return approval
  }

  async function get(caller: Caller, id: string): Promise<TaskState> {
    if (isId('apr', id)) return ofApproval(caller, await find(caller, id))
    if (!isId('dec', id)) throw unknown()
    const detail = await own(caller, id)
    // What was held has its approval for a task.
    if (detail.effect === 'hold') throw unknown()
    return ofDecision(caller, detail, { id, createdAt: detail.at, updatedAt: detail.outcomeAt ?? detail.at, ttlMs: null })
  }

  return {
    get,

    held: ({ approval: { id, expiresAt } }) => {
      const now = deps.now()
      return { id, status: 'working', message: waitsUntil(expiresAt), createdAt: now, updatedAt: now, ttlMs: expiresAt - now }
    },

    async wait(caller, id) {
      for (;;) {
        const state = await get(caller, id)
        if (state.status !== 'working' || caller.signal.aborted) return state
        const running = settling.get(id)
        if (running !== undefined) await running.done
        else if (isId('apr', id)) await approvals.wait(id, WAIT_MS, caller.signal)
        else await new Promise((resolve) => setTimeout(resolve, 1_000))
      }
    },

    async cancel(caller, id) {
      const state = await get(caller, id)
      if (state.status !== 'working' || !isId('apr', id)) return state
      settling.get(id)?.controller.abort()
      const approval = await find(caller, id)
      if (approval.state === 'pending' || approval.state === 'approved') await approvals.withdraw(approval)
      return get(caller, id)
    },
  }
}
