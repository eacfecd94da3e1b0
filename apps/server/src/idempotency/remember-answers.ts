/** Idempotency-Key for every write: the same key and request get the same answer, whatever happened to the connection. */
import { createHmac } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { Authenticate, Clock, Store } from '@ephor/engine/kernel'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { idempotencyStore } from './store.ts'

const DAY = 86_400_000

export type RememberOptions = {
  store: Store
  kek: Uint8Array
  clock: Clock
  /** Keys belong to whoever sends them. What it throws, the route will throw again and answer. */
  authenticate: Authenticate
}

function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key']
  // A call has its own way, which survives a crash between the decision and this table: the broker's.
  if (key === undefined || request.method === 'GET' || request.method === 'HEAD' || !request.url.startsWith('/v1/')) return undefined
  if (/^\/v1\/calls(?:\?|$)/.test(request.url)) return undefined
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(key))
    throw new Fault('REQUEST_INVALID', 'Idempotency-Key holds 1 to 200 printable characters')
  return key
}

/** Only answers are kept here, not state of their own: so this table needs no ledger entries, and each row has keyed digests instead. */
export function rememberAnswers(app: FastifyInstance, { store, kek, clock, authenticate }: RememberOptions): void {
  const answers = idempotencyStore(store, kek)
  const claimed = new WeakMap<FastifyRequest, { owner: string; key: string; request: string; started_at: number }>()
  const running = new Set<string>()

  app.addHook('preHandler', async (request, reply) => {
    const key = keyOf(request)
    const principal = key === undefined ? undefined : await authenticate(request, reply).catch(() => undefined)
    if (key === undefined || !principal) return undefined
    const owner = principal.id
    // Keyed: a body may hold a secret that is short enough to be guessed from a plain digest.
    const digest = createHmac('sha256', kek)
      .update(`idempotency\n${request.method} ${request.url}\n${JSON.stringify(request.body ?? null)}`)
      .digest('hex')
    try {
      const startedAt = clock.now()
      await answers.claim(owner, key, digest, startedAt)
      claimed.set(request, { owner, key, request: digest, started_at: startedAt })
      running.add(`${owner} ${key}`)
      return undefined
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'CONFLICT') throw error
    }
    const before = await answers.find(owner, key)
    if (before && before.request !== digest) throw new Fault('IDEMPOTENCY_MISMATCH', `the key ${key} was used for another request`)
    if (before?.answer) {
      const { status, type, body } = before.answer
      return reply.status(status).header('idempotency-replayed', 'true').type(type).send(body)
    }
    if (!before || running.has(`${owner} ${key}`)) throw new Fault('CONFLICT', 'the first request with this key is still running')
    throw new Fault('CONFLICT', 'the first request with this key was interrupted: see what it did, then use a new key')
  })

  app.addHook('onSend', async (request, reply, payload) => {
    const claim = claimed.get(request)
    if (!claim) return
    claimed.delete(request)
    try {
      const done = reply.statusCode < 400 && (typeof payload === 'string' || payload === undefined || payload === null)
      const answer = {
        status: reply.statusCode,
        type: String(reply.getHeader('content-type') ?? 'application/json'),
        body: typeof payload === 'string' ? payload : '',
      }
      // A refusal changed nothing, so the same key may try again.
      if (done) await answers.fill(claim, answer)
      else await answers.release(claim.owner, claim.key)
    } catch (error) {
      // The write itself is durable; without its remembered answer a repetition is told that it was interrupted.
      request.log.error({ err: error }, 'an answer could not be remembered for its idempotency key')
    } finally {
      running.delete(`${claim.owner} ${claim.key}`)
    }
  })

  const forget = () =>
    void answers.forget(clock.now() - DAY).catch((error: unknown) => app.log.warn({ err: error }, 'old answers could not be removed'))
  const timer = setInterval(forget, DAY / 24).unref()
  app.addHook('onReady', async () => forget())
  app.addHook('onClose', async () => clearInterval(timer))
}
