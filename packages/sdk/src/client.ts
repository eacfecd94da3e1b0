/** The typed client: one function for each API operation, made from the operations themselves; problems become Faults. */
import { Fault, FAULTS } from '@ephor/contract'
import type { FaultCode, Operation, Operations } from '@ephor/contract'
import type { z } from 'zod'

export type ClientOptions = {
  /** Where Ephor listens: `http://127.0.0.1:7373`. */
  url: string
  /** The bearer for the next request; called for each. Nothing for operations that anyone may call. */
  bearer?: (() => Promise<string> | string) | undefined
  fetch?: typeof globalThis.fetch | undefined
}

type Part<K extends string, T> = T extends z.ZodType
  ? Record<string, never> extends z.input<T>
    ? { [P in K]?: z.input<T> }
    : { [P in K]: z.input<T> }
  : unknown
type Extras = { idempotencyKey?: string; ifMatch?: string; signal?: AbortSignal }
type Input<O extends Operation> = Part<'params', O['params']> & Part<'query', O['query']> & Part<'body', O['body']> & Extras

type Call<O extends Operation> =
  Extras extends Input<O> ? (input?: Input<O>) => Promise<z.output<O['response']>> : (input: Input<O>) => Promise<z.output<O['response']>>

/** Streams are read with `readEvents`. */
export type Client<T extends Operations> = { readonly [K in keyof T as T[K]['stream'] extends true ? never : K]: Call<T[K]> }

type AnyInput = { params?: Record<string, unknown>; query?: Record<string, unknown>; body?: unknown } & Extras

/** @throws Fault REQUEST_INVALID when a parameter of the path is missing: an empty one would name another resource. */
function address(url: string, operation: Operation, { params = {}, query = {} }: AnyInput): URL {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name]
    if (typeof value !== 'string' || value === '' || value === '.' || value === '..')
      throw new Fault('REQUEST_INVALID', `the path needs ${name}`)
    return encodeURIComponent(value)
  })
  const at = new URL(url.replace(/\/+$/, '') + path)
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) at.searchParams.append(name, typeof one === 'string' ? one : JSON.stringify(one))
  return at
}

/** The fault that an answer reports. */
export async function toFault(response: Response): Promise<Fault> {
  const problem: unknown = await response.json().catch(() => undefined)
  const { code, detail, where } = (problem ?? {}) as { code?: unknown; detail?: unknown; where?: unknown }
  const known = typeof code === 'string' && code in FAULTS
  const text = typeof detail === 'string' ? detail : `the answer was HTTP ${response.status}`
  return new Fault(known ? (code as FaultCode) : 'INTERNAL', text, typeof where === 'string' ? { where } : {})
}

/** @throws Fault SERVER_UNREACHABLE when nothing answers. */
export async function reach(options: ClientOptions, url: URL, init: RequestInit): Promise<Response> {
  try {
    return await (options.fetch ?? globalThis.fetch)(url, { ...init, redirect: 'error' })
  } catch (error) {
    if ((error as Error).name === 'AbortError' || (error as Error).name === 'TimeoutError') throw error
    throw new Fault('SERVER_UNREACHABLE', options.url, { cause: error })
  }
}

/** @throws Fault for an answer that this version does not know: OBLIGATION_UNKNOWN where it is what a permit demands. */
function understand(operation: Operation, answer: unknown): unknown {
  const parsed = operation.response.safeParse(answer)
  if (parsed.success) return parsed.data
  const path = parsed.error.issues[0]?.path ?? []
  const where = `/${path.map(String).join('/')}`
  throw new Fault(path[0] === 'obligations' ? 'OBLIGATION_UNKNOWN' : 'INTERNAL', `this client does not understand the answer at ${where}`, {
    where,
  })
}

async function perform(options: ClientOptions, operation: Operation, input: AnyInput): Promise<unknown> {
  const { body, idempotencyKey, ifMatch, signal } = input
  const bearer = operation.who === 'anyone' ? undefined : await options.bearer?.()
  const response = await reach(options, address(options.url, operation, input), {
    method: operation.method,
    headers: {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
  const parsedAnyway = response.headers.get('content-type')?.startsWith('application/json') === true
  if (!response.ok && !parsedAnyway) throw await toFault(response)
  if (response.status === 204) return undefined
  return understand(operation, parsedAnyway ? await response.json() : await response.text())
}

export function makeClient<T extends Operations>(operations: T, options: ClientOptions): Client<T> {
  const calls = Object.entries(operations)
    .filter(([, operation]) => !operation.stream)
    .map(([name, operation]) => [name, (input: AnyInput = {}) => perform(options, operation, input)])
  return Object.fromEntries(calls) as Client<T>
}
