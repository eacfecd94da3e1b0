/** A sink that posts each event to a web address, signed as Standard Webhooks 1.0.0 says. */
import { lookup as systemLookup } from 'node:dns'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { Fault } from '@ephor/contract'
import type { Clock } from '@ephor/engine/kernel'
import { Agent, request } from 'undici'
import type { Dispatcher } from 'undici'
import { isLoopback, isPublic, literalAddress } from './public-address.ts'
import { signerOf, webhookHeaders, webhookId } from './sign-webhook.ts'
import { DeliveryFailure } from './types.ts'
import type { Sink, WebhookOptions } from './types.ts'

/** The answer says nothing that we use: this much is read so that the connection can serve again, and no more. */
const ANSWER_BYTES = 16 * 1024

type Resolved = (error: Error | null, address?: string | LookupAddress[], family?: number) => void

/** Resolves a name and hands the connection only addresses that were checked: what is checked is what is connected to. */
export function publicLookup(resolve: typeof systemLookup) {
  return (host: string, options: LookupOptions, done: Resolved): void =>
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error)
      const [first] = addresses
      if (!first || addresses.some(({ address }) => !isPublic(address)))
        return done(new DeliveryFailure('the name of the webhook leads to a private address; allowPrivate would permit it'))
      return options.all ? done(null, addresses) : done(null, first.address, first.family)
    })
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
export function retryAfterMs(value: unknown, now: number): number | undefined {
  if (typeof value !== 'string') return undefined
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** @throws Fault SETTINGS_INVALID when events must not go there */
function checkTarget({ url, allowPrivate }: WebhookOptions): URL {
  const target = new URL(url)
  const refuse = (why: string) => new Fault('SETTINGS_INVALID', `the webhook ${target.origin} ${why}`)
  if (target.username !== '' || target.password !== '') throw refuse('must not carry a user or password: the signature says who sends')
  if (target.protocol !== 'https:' && !(target.protocol === 'http:' && isLoopback(target.hostname)))
    throw refuse('must be reached over https, except on this machine')
  const literal = literalAddress(target.hostname)
  if (!allowPrivate && (isLoopback(target.hostname) || (literal !== undefined && !isPublic(literal))))
    throw refuse('is not in the public internet; allowPrivate permits it')
  return target
}

function failureOf({ statusCode, headers }: Dispatcher.ResponseData, now: number): DeliveryFailure {
  if (statusCode === 410) return new DeliveryFailure('the receiver answered 410 Gone', { gone: true })
  if (statusCode >= 300 && statusCode < 400) return new DeliveryFailure(`the receiver answered ${statusCode}; redirects are not followed`)
  const pause = retryAfterMs(headers['retry-after'], now)
  return new DeliveryFailure(`the receiver answered ${statusCode}`, pause === undefined ? {} : { retryAfterMs: pause })
}

export function webhookSink(options: WebhookOptions, reveal: (reference: string) => string, clock: Clock): Sink {
  const target = checkTarget(options)
  const timeout = options.timeoutMs
  const connect = { timeout, ...(!options.allowPrivate && { lookup: publicLookup(systemLookup) as never }) }
  let agent: Agent | undefined

  async function post(id: string, body: string, signal: AbortSignal): Promise<void> {
    const signers = options.secrets.map((secret) => signerOf(reveal(secret)))
    agent ??= new Agent({
      connect,
      connections: 1,
      pipelining: 1,
      headersTimeout: timeout,
      bodyTimeout: timeout,
      maxHeaderSize: ANSWER_BYTES,
    })
    const response = await request(target, {
      method: 'POST',
      dispatcher: agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
      headers: {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'user-agent': 'Ephor',
        ...webhookHeaders(id, clock.now(), body, signers),
      },
      body,
    })
    // The receiver chooses how much it answers, and how slowly.
    await response.body.dump({ limit: ANSWER_BYTES }).catch(() => {})
    if (response.statusCode < 200 || response.statusCode > 299) throw failureOf(response, clock.now())
  }

  return {
    async send(event, signal) {
      try {
        await post(webhookId(event), JSON.stringify(event), signal)
      } catch (error) {
        if (error instanceof DeliveryFailure || error instanceof Fault) throw error
        const { name, message, code } = error as Error & { code?: unknown }
        throw new DeliveryFailure(
          name === 'TimeoutError'
            ? `the receiver did not answer within ${timeout} ms`
            : `${typeof code === 'string' ? code : name}: ${message}`,
        )
      }
    },
    async close() {
      const ending = agent
      agent = undefined
      await ending?.destroy()
    },
  }
}
