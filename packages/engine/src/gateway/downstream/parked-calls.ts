/** Calls of stateless clients that wait for input: the call goes on upstream while the client fetches the answer and comes back. */
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { JsonObject } from '@ephor/engine/kernel'
import { ProtocolError } from '@modelcontextprotocol/server'
import type { Caller, ServerRequestMethod } from './caller.ts'
import { invalidParams } from './replies.ts'

/** Requests whose results may be `input_required` (revision 2026-07-28, basic/patterns/mrtr). */
const MAY_ASK: ReadonlySet<string> = new Set(['tools/call', 'resources/read', 'prompts/get'])

const INTERNAL_ERROR = -32603

type Question = { method: ServerRequestMethod; params: JsonObject; resolve: (answer: JsonObject) => void }

type Parked = {
  agent: string
  method: string
  params: JsonObject
  controller: AbortController
  questions: Map<string, Question>
  /** Resolves when there is a new question. */
  asked: PromiseWithResolvers<'asked'>
  done: Promise<JsonObject>
  /** The caller who listens now: progress goes to the newest request. */
  listener: Caller
}

/** What of a request came back from the client to continue an earlier one. */
export type Continuation = { state: string | undefined; responses: Record<string, unknown> }

export type ParkedCalls = {
  /** Runs or continues a request until it is done or needs input from the client. */
  serve(
    caller: Caller,
    method: string,
    params: JsonObject,
    continuation: Continuation,
    run: (caller: Caller) => Promise<JsonObject>,
  ): Promise<JsonObject>
  size(): number
  /** Stops the calls that wait, all or those of one agent. */
  close(agent?: string): void
}

/** @param waitMs how long a client may take to come back. */
export function createParkedCalls(waitMs: number, maxPerAgent: number): ParkedCalls {
  const parked = new Map<string, { call: Parked; timer: NodeJS.Timeout }>()

  function begin(caller: Caller, method: string, params: JsonObject, run: (caller: Caller) => Promise<JsonObject>): Parked {
    const controller = new AbortController()
    const call: Parked = {
      agent: caller.principal.id,
      method,
      params,
      controller,
      questions: new Map(),
      asked: Promise.withResolvers(),
      done: Promise.resolve({}),
      listener: caller,
    }
    let count = 0
    call.done = run({
      ...caller,
      signal: controller.signal,
      notify: (name, details) => call.listener.notify(name, details),
      ask: (name, details, signal, wanted) =>
        new Promise((resolve, reject) => {
          let key = wanted ?? `q${++count}`
          while (call.questions.has(key)) key = `q${++count}`
          const refuse = () => {
            call.questions.delete(key)
            reject(new ProtocolError(INTERNAL_ERROR, 'The question was withdrawn'))
          }
          if (signal.aborted) return refuse()
          signal.addEventListener('abort', refuse, { once: true })
          call.questions.set(key, { method: name, params: details, resolve })
          call.asked.resolve('asked')
        }),
    })
    // Whoever awaits it later gets the error; nobody may be waiting yet.
    call.done.catch(() => undefined)
    return call
  }

  /** Each state serves once, only its own agent, and only the same request. */
  function resume(caller: Caller, method: string, params: JsonObject, { state, responses }: Continuation): Parked {
    const held = state === undefined ? undefined : parked.get(state)
    if (state === undefined || held === undefined || held.call.agent !== caller.principal.id)
      throw invalidParams('Invalid or expired requestState')
    parked.delete(state)
    clearTimeout(held.timer)
    const { call } = held
    if (call.method !== method || !isDeepStrictEqual(call.params, params)) {
      call.controller.abort()
      throw invalidParams('This requestState belongs to a different request')
    }
    call.listener = caller
    call.asked = Promise.withResolvers()
    for (const [key, question] of call.questions) {
      const response = Object.hasOwn(responses, key) ? responses[key] : undefined
      if (typeof response !== 'object' || response === null) continue
      call.questions.delete(key)
      // Parsed at the door, so what is inside is JSON.
      question.resolve(response as JsonObject)
    }
    if (call.questions.size > 0) call.asked.resolve('asked')
    return call
  }

  function park(call: Parked): JsonObject {
    const held = [...parked.values()].filter((other) => other.call.agent === call.agent)
    if (held.length >= maxPerAgent) {
      call.controller.abort()
      throw invalidParams('Too many calls of this agent wait for input')
    }
    const state = randomBytes(32).toString('base64url')
    const timer = setTimeout(() => {
      parked.delete(state)
      call.controller.abort()
    }, waitMs)
    parked.set(state, { call, timer })
    const inputRequests = Object.fromEntries([...call.questions].map(([key, { method, params }]) => [key, { method, params }]))
    return { resultType: 'input_required', inputRequests, requestState: state }
  }

  return {
    async serve(caller, method, params, continuation, run) {
      if (!MAY_ASK.has(method)) return run(caller)
      const call = continuation.state === undefined ? begin(caller, method, params, run) : resume(caller, method, params, continuation)
      const stop = () => call.controller.abort()
      if (caller.signal.aborted) stop()
      caller.signal.addEventListener('abort', stop, { once: true })
      try {
        const first = await Promise.race([call.done, call.asked.promise])
        return first === 'asked' ? park(call) : first
      } finally {
        // A parked call outlives the request that it came with.
        caller.signal.removeEventListener('abort', stop)
      }
    },

    size: () => parked.size,

    close(agent) {
      for (const [state, { call, timer }] of parked) {
        if (agent !== undefined && call.agent !== agent) continue
        parked.delete(state)
        clearTimeout(timer)
        call.controller.abort()
      }
    },
  }
}
