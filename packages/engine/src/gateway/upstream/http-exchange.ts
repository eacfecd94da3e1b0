/** HTTP with one tool server: no redirect to another origin, bodies bounded, no time-outs but the callers' own. */
import { Fault } from '@ephor/contract'
import { Agent } from 'undici'
import type { Dispatcher } from 'undici'

export type Answer = Dispatcher.ResponseData
export type Exchange = { method: 'POST' | 'GET' | 'DELETE'; headers: Record<string, string>; body?: string; signal?: AbortSignal }

export type HttpExchange = {
  /** @throws Fault UPSTREAM_ERROR on a redirect to another origin: the configured headers are for the configured server alone. */
  exchange(url: URL, request: Exchange): Promise<Answer>
  /** Breaks off every exchange. */
  close(): Promise<void>
}

const REDIRECTS = 3
const SLOW = { headersTimeout: 0, bodyTimeout: 0, connectTimeout: 10_000 }

/** One header of an answer; undefined when it stands there twice. */
export function headerOf({ headers }: Answer, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

export function mediaTypeOf(answer: Answer): string {
  return (headerOf(answer, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/** @throws Fault UPSTREAM_RESULT_TOO_LARGE */
export async function textOf(answer: Answer, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length
    // Leaving the loop ends the connection.
    if (size > maxBytes) throw new Fault('UPSTREAM_RESULT_TOO_LARGE', `an answer of more than ${maxBytes} bytes was withheld`)
    chunks.push(chunk)
  }
  const [first] = chunks
  return (chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)).toString('utf8')
}

export function httpExchange(): HttpExchange {
  const dispatcher = new Agent(SLOW)

  async function exchange(url: URL, request: Exchange, left: number): Promise<Answer> {
    const { pathname, search, origin } = url
    const { method, body = null, signal } = request
    // A compressed answer could be small here and large in memory: it is neither asked for nor taken.
    const headers = { ...request.headers, 'accept-encoding': 'identity', 'user-agent': 'ephor' }
    const answer = await dispatcher.request({ origin, path: pathname + search, method, headers, body, ...(signal && { signal }) })
    if (!['', 'identity'].includes(headerOf(answer, 'content-encoding') ?? '')) {
      answer.body.on('error', () => {}).destroy()
      throw new Fault('UPSTREAM_ERROR', 'it compresses its answers, which it was asked not to do')
    }
    const { statusCode } = answer
    if (statusCode < 300 || statusCode > 399) return answer
    await answer.body.dump()
    const target = new URL(headerOf(answer, 'location') ?? '', url)
    if (target.origin !== origin) throw new Fault('UPSTREAM_ERROR', `it redirects to another origin (${target.origin})`)
    if (left === 0 || (statusCode !== 307 && statusCode !== 308))
      throw new Fault('UPSTREAM_ERROR', `it answers with a redirect (HTTP ${statusCode})`)
    return exchange(target, request, left - 1)
  }

  return {
    exchange: (url, request) => exchange(url, request, REDIRECTS),
    close: () => dispatcher.destroy(),
  }
}
