/** Hears of other replicas' units: asks every half second, and at once where the server can call (LISTEN, NOTIFY). */
import { createHash } from 'node:crypto'
import { Client } from 'pg'
import type { PostgresReader } from './postgres-reader.ts'
import { connectOptions } from './postgres-session.ts'

/** How often the other writers' rows are looked at, in ms: all that there is behind a pooler that LISTEN does not work through. */
const POLL_MS = 500
/** NOTIFY takes a lock of the whole cluster at COMMIT: it never rides on a batch, and goes out at most this often, in ms. */
const NOTIFY_EVERY_MS = 100
const LISTEN_AGAIN_MS = 5_000

export type WatchOptions = { url: string; tenant: string; writer: string; reader: PostgresReader }

/** Calls `wake` when a replica of this tenant says that it committed. Where that does not work, nothing is lost but time. */
function listen({ url, writer }: WatchOptions, channel: string, wake: () => void) {
  let client: Client | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  async function connect(): Promise<void> {
    const opening = new Client(connectOptions(url, 'listener'))
    const again = () => {
      if (closed || client !== opening) return
      timer = setTimeout(() => void connect(), LISTEN_AGAIN_MS)
      timer.unref()
    }
    client = opening
    opening.on('error', () => undefined)
    opening.on('end', again)
    opening.on('notification', ({ payload }) => {
      if (payload !== writer) wake()
    })
    try {
      await opening.connect()
      await opening.query(`LISTEN ${opening.escapeIdentifier(channel)}`)
      // What was said while nobody listened.
      wake()
    } catch {
      opening.connection.stream.destroy()
    }
  }

  void connect()
  return async () => {
    closed = true
    clearTimeout(timer)
    await client?.end().catch(() => undefined)
  }
}

/** @throws what the reader throws when the first look fails */
export async function watchOthers(options: WatchOptions) {
  const { tenant, writer, reader } = options
  const channel = `ephor_${createHash('sha256').update(tenant).digest('hex').slice(0, 16)}`
  const listeners = new Set<() => void>()
  let known = new Map<string, number>()
  let looking: Promise<void> | undefined
  let lookAgain = false
  let notify: NodeJS.Timeout | undefined
  let closed = false

  async function look(): Promise<boolean> {
    const text = 'SELECT writer, units FROM kernel_writer WHERE tenant = $1 AND writer <> $2'
    const { rows } = await reader.query(text, [tenant, writer])
    const now = new Map((rows as { writer: string; units: number }[]).map((row) => [row.writer, row.units]))
    const more = [...now].some(([id, units]) => units > (known.get(id) ?? 0))
    known = now
    return more
  }

  /** Never two at once: the later answer could be the older one. */
  async function lookAndTell(): Promise<void> {
    do {
      lookAgain = false
      try {
        if ((await look()) && !closed) for (const listener of listeners) listener()
      } catch {
        // The store is out of reach: a later look finds what happened meanwhile.
      }
    } while (lookAgain)
    looking = undefined
  }

  function wake(): void {
    if (looking) lookAgain = true
    else if (!closed) looking = lookAndTell()
  }

  await look()
  const poll = setInterval(wake, POLL_MS)
  poll.unref()
  const stopListening = listen(options, channel, wake)

  return {
    on(listener: () => void): () => void {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    /** Tells the other replicas, soon and together with what is committed until then; where there are none, nobody. */
    tell(): void {
      if (notify || closed || known.size === 0) return
      notify = setTimeout(() => {
        notify = undefined
        if (!closed) reader.query('SELECT pg_notify($1, $2)', [channel, writer]).catch(() => undefined)
      }, NOTIFY_EVERY_MS)
      notify.unref()
    },
    async close(): Promise<void> {
      closed = true
      clearInterval(poll)
      clearTimeout(notify)
      await Promise.all([stopListening(), looking])
    },
  }
}
