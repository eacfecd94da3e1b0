/** fetch for tool servers over HTTP: bodies bounded per message, no redirect to another origin, no time-outs but the callers' own. */
import { Fault } from '@ephor/contract'
import { Agent, fetch as undiciFetch } from 'undici'

type FetchLike = (url: string | URL, init?: RequestInit) => Promise<Response>

const REDIRECTS = 3
const SLOW = { headersTimeout: 0, bodyTimeout: 0, connectTimeout: 10_000 }

/** The request that a body carries: the peer always writes the id right after the version. */
function idOfBody(body: unknown): number | undefined {
  const found = typeof body === 'string' ? /^\{"jsonrpc":"2\.0","id":(\d{1,15}),/.exec(body) : null
  return found?.[1] === undefined ? undefined : Number(found[1])
}

/** Counts bytes since the last blank line of an event stream, so that a stream of many small events may run on. */
export function eventCounter(): (chunk: Uint8Array) => number {
  let size = 0
  let line = 0
  let afterReturn = false
  return (chunk) => {
    let largest = size
    for (const byte of chunk) {
      if (byte === 10 && afterReturn) {
        afterReturn = false
        continue
      }
      afterReturn = byte === 13
      if (byte === 10 || byte === 13) {
        if (line === 0) {
          largest = Math.max(largest, size)
          size = 0
        }
        line = 0
      } else line++
      size++
    }
    return Math.max(largest, size)
  }
}

/** Whether HTTP itself holds the body to its announced length, and that is within the limit: then nothing has to be counted. */
function isShort({ headers }: Response, maxBytes: number): boolean {
  const length = headers.get('content-length')
  return length !== null && /^\d{1,15}$/.test(length) && Number(length) <= maxBytes && headers.get('content-encoding') === null
}

function bounded(response: Response, maxBytes: number, onTooLarge: () => void): Response {
  if (response.body === null || isShort(response, maxBytes)) return response
  const stream = response.headers.get('content-type')?.includes('text/event-stream') === true
  const count = stream ? eventCounter() : undefined
  let total = 0
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      total = count === undefined ? total + chunk.byteLength : count(chunk)
      if (total <= maxBytes) return controller.enqueue(chunk)
      onTooLarge()
      controller.error(new Fault('UPSTREAM_RESULT_TOO_LARGE', `a message of more than ${maxBytes} bytes`))
    },
  })
  const { status, statusText, headers } = response
  return new Response(response.body.pipeThrough(limit), { status, statusText, headers })
}

export type BoundedFetch = { fetch: FetchLike; close: () => Promise<void> }

/**
 * @param onTooLarge gets the id of the request whose response was larger than the limit, when it was a request's.
 * @throws Fault UPSTREAM_ERROR on a redirect to another origin: the configured headers are for the configured server alone.
 */
export function boundedFetch(maxBytes: number, onTooLarge: (id: number | undefined) => void): BoundedFetch {
  const dispatcher = new Agent(SLOW)

  async function fetchOnce(url: string | URL, init: RequestInit | undefined, left: number): Promise<Response> {
    const request = { ...init, redirect: 'manual', dispatcher } as Parameters<typeof undiciFetch>[1]
    const response = (await undiciFetch(url, request)) as unknown as Response
    if (response.status < 300 || response.status > 399) return response
    await response.body?.cancel()
    const target = new URL(response.headers.get('location') ?? '', url)
    if (target.origin !== new URL(url).origin) throw new Fault('UPSTREAM_ERROR', `it redirects to another origin (${target.origin})`)
    if (left === 0 || (response.status !== 307 && response.status !== 308)) {
      throw new Fault('UPSTREAM_ERROR', `it answers with a redirect (HTTP ${response.status})`)
    }
    return fetchOnce(target, init, left - 1)
  }

  return {
    async fetch(url, init) {
      const response = await fetchOnce(url, init, REDIRECTS)
      const empty = response.status === 202 || response.status === 204 || response.status === 304
      return empty ? response : bounded(response, maxBytes, () => onTooLarge(idOfBody(init?.body)))
    },
    close: () => dispatcher.destroy(),
  }
}
