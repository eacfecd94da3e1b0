/** A sink that publishes to a NATS JetStream stream: acknowledged when the stream has stored it, repeated under the same message id. */
import { readFileSync } from 'node:fs'
import { jetstream, jetstreamManager, JetStreamApiError } from '@nats-io/jetstream'
import type { JetStreamClient } from '@nats-io/jetstream'
import {
  connect,
  credsAuthenticator,
  headers,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'
import type { Authenticator, NatsConnection } from '@nats-io/transport-node'
import type { CloudEvent } from '@ephor/engine/ledger'
import { DeliveryFailure } from './types.ts'
import type { NatsOptions, Sink } from './types.ts'

const TIMEOUT_MS = 10_000
/** How long a stream that we make remembers message ids: what is sent again after an outage longer than that is stored twice. */
const DUPLICATE_WINDOW_NS = 10 * 60 * 1e9
const STREAM_NOT_FOUND = 10_059

/** Subjects are tokens divided by dots: whatever else a type may hold one day is written as an underscore. */
export function subjectOf(prefix: string, { type }: CloudEvent): string {
  const tokens = type.replace(/^ephor\./, '').split('.')
  return [prefix, ...tokens.map((token) => token.replaceAll(/[^\w-]/g, '_') || '_')].join('.')
}

type Reveal = (reference: string) => string

function authenticatorOf({ token, user, password, nkey, credentials }: NatsOptions, reveal: Reveal): Authenticator | undefined {
  const bytes = (reference: string) => new TextEncoder().encode(reveal(reference).trim())
  if (credentials !== undefined) return credsAuthenticator(bytes(credentials))
  if (nkey !== undefined) return nkeyAuthenticator(bytes(nkey))
  if (token !== undefined) return tokenAuthenticator(reveal(token).trim())
  return user === undefined ? undefined : usernamePasswordAuthenticator(user, password && reveal(password).trim())
}

function tlsOf({ tls }: NatsOptions) {
  if (!tls) return undefined
  const { ca, cert, key } = tls
  const read = (file: string) => readFileSync(file, 'utf8')
  return {
    ...(ca !== undefined && { ca: read(ca) }),
    ...(cert !== undefined && { cert: read(cert) }),
    ...(key !== undefined && { key: read(key) }),
  }
}

async function ensureStream(connection: NatsConnection, { stream, prefix, create }: NatsOptions): Promise<void> {
  const { streams } = await jetstreamManager(connection)
  try {
    await streams.info(stream)
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND) throw error
    if (!create) throw new DeliveryFailure(`NATS has no stream ${stream}; make it, or set create: true`)
    await streams.add({ name: stream, subjects: [`${prefix}.>`], duplicate_window: DUPLICATE_WINDOW_NS })
  }
}

export function natsSink(options: NatsOptions, reveal: Reveal): Sink {
  let open: { connection: NatsConnection; stream: JetStreamClient } | undefined

  async function connected(): Promise<JetStreamClient> {
    if (open && !open.connection.isClosed()) return open.stream
    const authenticator = authenticatorOf(options, reveal)
    const tls = tlsOf(options)
    // A client that reconnects by itself could lose one event and still send the next: here a broken connection ends the batch.
    const connection = await connect({
      servers: [...options.servers],
      name: 'ephor',
      reconnect: false,
      timeout: TIMEOUT_MS,
      ...(authenticator && { authenticator }),
      ...(tls && { tls }),
    })
    try {
      await ensureStream(connection, options)
    } catch (error) {
      await connection.close()
      throw error
    }
    open = { connection, stream: jetstream(connection, { timeout: TIMEOUT_MS }) }
    return open.stream
  }

  async function publish(event: CloudEvent): Promise<void> {
    const stream = await connected()
    const fields = headers()
    fields.set('Content-Type', 'application/cloudevents+json')
    await stream.publish(subjectOf(options.prefix, event), JSON.stringify(event), {
      msgID: event.id,
      headers: fields,
      expect: { streamName: options.stream },
      timeout: TIMEOUT_MS,
    })
  }

  async function close(): Promise<void> {
    const { connection } = open ?? {}
    open = undefined
    await connection?.close()
  }

  return {
    async send(event, signal) {
      const end = () => void close()
      signal.addEventListener('abort', end, { once: true })
      try {
        await publish(event)
      } catch (error) {
        if (error instanceof DeliveryFailure) throw error
        throw new DeliveryFailure(`NATS: ${(error as Error).message}`)
      } finally {
        signal.removeEventListener('abort', end)
      }
    },
    close,
  }
}
