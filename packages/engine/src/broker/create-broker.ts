/** Puts the broker together from the rooms below it. */
import { Fault } from '@ephor/contract'
import type { AgentPrincipal, Principal } from '@ephor/contract'
import { startRedactor } from '@ephor/engine/guards'
import type { Json } from '@ephor/engine/kernel'
import type { Entry, Receipt } from '@ephor/engine/ledger'
import type { Tool } from '@ephor/engine/registry'
import type { BrokerRooms, Context } from './context.ts'
import { digestOf } from './digest.ts'
import { follow } from './follow.ts'
import { makeDelayedWrites } from './delayed-writes.ts'
import { judgeAccess } from './judge-access.ts'
import type { AccessRequest, JudgedAccess } from './judge-access.ts'
import { judgeServerRequest } from './judge-server-request.ts'
import type { JudgedServerRequest } from './judge-server-request.ts'
import { makeLimits } from './limits.ts'
import { makeNovelty } from './novelty.ts'
import { redacted } from './obligations.ts'
import { ask, perform } from './perform.ts'
import { recover, sweep } from './recover.ts'
import { appendOutcome } from './seal.ts'
import { makeSessions } from './sessions.ts'
import { readDecisions } from './store.ts'
import type { DecisionQuery } from './store.ts'
import type { Asked, BrokerEvent, Call, DecisionRow, OutcomeStatus, Performed, Run, ServerRequest } from './types.ts'

/** One decision with its evidence. Payloads are absent once their key was destroyed. */
export type DecisionDetail = DecisionRow & { receipt: Receipt; outcomeReceipt?: Receipt; input?: Json; result?: Json }

/** What of a server an agent may see: the tools, and whether its resources and prompts at all. */
export type Visible = { server: string; tools: Tool[]; resources: boolean; prompts: boolean }

/** What an enforcement point says of an action that it ran. */
export type Report = { status: OutcomeStatus; result?: Json; /** Of a language model. */ tokens?: number }

export interface Broker {
  /**
   * Decides the call, runs it if permitted and seals what came of it.
   * @throws Fault UNAUTHENTICATED and its kin before anyone is known; STORE_UNAVAILABLE when nothing can be recorded;
   *   SHUTTING_DOWN.
   */
  perform(call: Call, run: Run): Promise<Performed>
  /** Decides only: for enforcement points that run the action themselves and then `report`. A permit comes with a warrant. */
  ask(call: Call): Promise<Asked & { warrant?: string }>
  /** Seals the outcome that an enforcement point reports. @throws Fault NOT_FOUND, OUTCOME_DECIDED, OUTCOME_LATE. */
  report(principal: AgentPrincipal, decision: string, outcome: Report): Promise<Receipt>
  judgeServerRequest(request: ServerRequest): Promise<JudgedServerRequest>
  /** Decides and records what another enforcement point asks about its own application. @throws Fault STORE_UNAVAILABLE, SHUTTING_DOWN. */
  judgeAccess(request: AccessRequest): Promise<JudgedAccess>
  /** Of accepted servers, what this agent could ever be permitted; a server of which that is nothing is left out. */
  visible(principal: AgentPrincipal): Visible[]
  /** Newest first. `cursor`: the id where the last page ended. */
  list(query: DecisionQuery): Promise<DecisionRow[]>
  /** An agent sees its own decisions only. */
  show(decision: string, reader: Principal): Promise<DecisionDetail | undefined>
  on(listener: (event: BrokerEvent) => void): () => void
  /** Counts what another replica permitted, of which this is the entry, against sessions and rate limits here. */
  follow(entry: Entry): void
  /** At start: seals permits without an outcome as unknown, and rebuilds the rate limits. Returns how many were sealed. */
  recover(): Promise<number>
  /** Takes no new calls; resolves when those in flight have been sealed, or after `ms`, with how many are left. */
  drain(ms: number): Promise<number>
  close(): void
}

/** How often permits past their deadline are looked for, in ms. */
const SWEEP_MS = 5_000

async function report(context: Context, principal: AgentPrincipal, decision: string, outcome: Report): Promise<Receipt> {
  const row = await context.decisions.find(decision)
  // Another agent's decision looks like none at all.
  if (!row || row.agent !== principal.id || row.door !== 'api' || row.effect !== 'permit') {
    throw new Fault('NOT_FOUND', 'no permit with that id waits for an outcome of this agent')
  }
  if (row.outcome !== undefined)
    throw new Fault(row.outcome === 'unknown' ? 'OUTCOME_LATE' : 'OUTCOME_DECIDED', `it was sealed as ${row.outcome}`)
  if ((row.deadline ?? 0) <= context.clock.now()) throw new Fault('OUTCOME_LATE', 'the deadline has passed')
  const { status, result, tokens } = outcome
  // What is redacted is not kept either, also where the enforcement point left it in.
  const shown = result === undefined ? {} : await redacted(context.redactor, result, row.obligations)
  return appendOutcome(context, row, { status, tokens, by: 'enforcement-point', ...('withheld' in shown ? {} : shown) })
}

async function show(context: Context, decision: string, reader: Principal): Promise<DecisionDetail | undefined> {
  const row = await context.decisions.find(decision)
  if (!row || (reader.kind === 'agent' && row.agent !== reader.id)) return undefined
  const receiptOf = ({ seq, leafHash }: Entry): Receipt => ({ origin: context.ledger.origin, seq, leafHash })
  const [intent, outcome] = await Promise.all([context.ledger.find(decision), context.ledger.find(`${decision}/outcome`)])
  if (!intent) throw new Fault('STORE_CORRUPT', `decision ${decision} has no ledger entry`)
  const input = await context.ledger.payload(intent.seq, 'input')
  const result = outcome && (await context.ledger.payload(outcome.seq, 'result'))
  return {
    ...row,
    receipt: receiptOf(intent),
    ...(outcome ? { outcomeReceipt: receiptOf(outcome) } : {}),
    ...(input === undefined ? {} : { input }),
    ...(result === undefined ? {} : { result }),
  }
}

function visible({ registry, policy }: Context, principal: AgentPrincipal): Visible[] {
  const who = { type: 'Agent' as const, id: principal.id }
  return registry
    .servers()
    .filter(({ state }) => state === 'accepted')
    .map(({ name }) => {
      const pinned = registry.tools(name).filter(({ state }) => state === 'accepted' || state === 'changed')
      return {
        server: name,
        tools: pinned.filter((tool) => policy.couldPermit(who, `${name}/${tool.name}`, name)),
        resources: policy.couldPermit(who, 'resources/read', name),
        prompts: policy.couldPermit(who, 'prompts/get', name),
      }
    })
    .filter(({ tools, resources, prompts }) => tools.length > 0 || resources || prompts)
}

export function createBroker(rooms: BrokerRooms): Broker {
  const listeners = new Set<(event: BrokerEvent) => void>()
  /** Calls that are being worked on; a permit's id joins when it is sealed. */
  const working = new Set<Promise<unknown>>()
  const inFlight = new Set<string>()
  let draining = false

  const decisions = readDecisions(rooms.store)
  const context: Context = {
    ...rooms,
    limits: makeLimits(),
    novelty: makeNovelty(decisions),
    sessions: makeSessions(decisions),
    decisions,
    redactor: startRedactor(),
    delayed: makeDelayedWrites(
      () => rooms.clock.now(),
      (error) => rooms.log.error({ err: error }, 'an answer that was given could not be recorded'),
    ),
    tell(kind, decision) {
      if (kind === 'outcome') inFlight.delete(decision.id)
      else if (decision.effect === 'permit' && decision.door === 'mcp') inFlight.add(decision.id)
      for (const listener of listeners) listener({ kind, decision })
    },
  }

  function track<T>(work: () => Promise<T>): Promise<T> {
    if (draining) return Promise.reject(new Fault('SHUTTING_DOWN', 'no new calls are taken'))
    const promise = work()
    const settled = promise.catch(() => undefined).finally(() => working.delete(settled))
    working.add(settled)
    return promise
  }

  const sweeper = setInterval(() => {
    sweep(context, inFlight).catch((error: unknown) => rooms.log.error({ err: error }, 'the deadline sweep failed; it runs again'))
  }, SWEEP_MS)
  sweeper.unref()

  return {
    perform: (call, run) =>
      track(async () => {
        const performed = await perform(context, call, run)
        // Where its outcome could not be recorded it is in flight no more: the sweep may seal it.
        inFlight.delete(performed.decision)
        return performed
      }),
    ask: (call) =>
      track(async () => {
        const asked = await ask(context, call)
        // A warrant is for whoever runs the action without us.
        if (asked.kind !== 'permitted' || call.door !== 'api') return asked
        const forked = context.ledger.forked()
        if (forked) throw new Fault('LEDGER_FORKED', forked.detail)
        const { decision, deadline, row } = asked
        const { onBehalfOf } = (await rooms.identity.identify(call.bearer)) as AgentPrincipal
        const warrant = rooms.identity.signWarrant({
          decision,
          agent: row.agent,
          digest: row.digest,
          input: digestOf(call.input),
          server: row.server,
          tool: row.tool ?? call.name,
          expiresAt: deadline,
          ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
        })
        return { ...asked, warrant }
      }),
    report: (principal, decision, outcome) => track(() => report(context, principal, decision, outcome)),
    judgeServerRequest: (request) => track(() => judgeServerRequest(context, request)),
    judgeAccess: (request) => track(() => judgeAccess(context, request)),
    visible: (principal) => visible(context, principal),
    list: (query) => context.decisions.list(query),
    show: (decision, reader) => show(context, decision, reader),
    on(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    follow: (entry) => follow(context, entry),
    recover: () => recover(context),
    async drain(ms) {
      draining = true
      let timer: NodeJS.Timeout | undefined
      const timeUp = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))
      await Promise.race([Promise.all([...working, context.delayed.settled()]), timeUp])
      clearTimeout(timer)
      return working.size
    },
    close() {
      clearInterval(sweeper)
      context.redactor.close()
    },
  }
}
