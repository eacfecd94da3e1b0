/** The connections to all tool servers: one for each server and owner, started when needed, closed when idle, restarted with growing pauses. */
import { Fault } from '@ephor/contract'
import { isoTime } from '@ephor/engine/kernel'
import type { Logger } from '@ephor/engine/kernel'
import type { Registry, ToolServer } from '@ephor/engine/registry'
import type { Vault } from '@ephor/engine/vault'
import { afterFailure } from './backoff.ts'
import { Connection } from './connection.ts'
import { Inspector } from './inspector.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { openConnection } from './open-connection.ts'
import type { Failures } from './backoff.ts'
import type { UpstreamLimits } from './limits.ts'
import type { Opened } from './open-connection.ts'
import type { Peer } from './peer.ts'
import type { Upstream, Upstreams } from './upstreams.ts'

export type UpstreamsOptions = {
  registry: Pick<Registry, 'server' | 'tool' | 'observeTools' | 'observeFailure' | 'on'>
  vault: Pick<Vault, 'resolve'>
  log: Logger
  /** Ephor's own version, told to tool servers. */
  version: string
  limits?: Partial<UpstreamLimits>
  now?: () => number
  random?: () => number
}

/** The owner of the connections by which Ephor itself looks at servers. */
const SYSTEM = 'ephor'

/** `server`, `owner` and `transport` in one text: an operator who corrects the transport is not made to wait for failures of the old one. */
type Attempts = string
type Slot = { server: string; owner: string; transport: string; attempts: Attempts; opening: Promise<Live>; live?: Live }
type Live = { upstream: Connection; peer: Peer; since: number; idle?: NodeJS.Timeout }

class OpenUpstreams implements Upstreams {
  readonly #options: UpstreamsOptions
  readonly #limits: UpstreamLimits
  readonly #now: () => number
  readonly #slots = new Map<string, Slot>()
  readonly #failures = new Map<Attempts, Failures>()
  /** Servers found to speak only older revisions, by their transport, so that each start does not ask again. */
  readonly #stateful = new Map<string, string>()
  readonly #inspector: Inspector
  readonly #stopListening: () => void
  #closed = false

  constructor(options: UpstreamsOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#now = options.now ?? Date.now
    this.#inspector = new Inspector({
      registry: options.registry,
      limits: this.#limits,
      log: options.log,
      connect: (server) => this.connect(server, SYSTEM),
      retryAt: (name) => {
        const server = options.registry.server(name)
        const failures = server && this.#failures.get(attemptsOf(server, SYSTEM))
        return failures?.retryAt ?? this.#now()
      },
      now: this.#now,
    })
    this.#stopListening = options.registry.on(({ server }) => {
      if (server !== undefined) this.#reconsider(server)
    })
  }

  async connect(server: string, owner: string): Promise<Upstream> {
    if (this.#closed) throw new Fault('SHUTTING_DOWN', 'no tool server is started any more')
    const known = this.#allowed(server, owner)
    const key = keyOf(server, owner)
    const slot = this.#slots.get(key) ?? this.#start(key, known, owner)
    const { upstream } = await slot.opening
    return upstream
  }

  async inspect(server: string): Promise<void> {
    if (this.#closed) throw new Fault('SHUTTING_DOWN', 'no tool server is started any more')
    this.#allowed(server, SYSTEM)
    // What it spoke before may have been before an update of it.
    if (!this.#slots.has(keyOf(server, SYSTEM))) this.#stateful.delete(server)
    await this.#inspector.inspect(server)
  }

  async release(owner: string): Promise<void> {
    await this.#drop((slot) => slot.owner === owner)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stopListening()
    this.#inspector.close()
    await this.#drop(() => true)
  }

  #allowed(name: string, owner: string): ToolServer {
    const server = this.#options.registry.server(name)
    if (server === undefined || server.state === 'removed') throw new Fault('SERVER_UNKNOWN', `there is no tool server ${name}`)
    if (server.state !== 'accepted' && owner !== SYSTEM) throw new Fault('SERVER_NOT_ACCEPTED', `${name} waits for an operator`)
    return server
  }

  #start(key: string, server: ToolServer, owner: string): Slot {
    const attempts = attemptsOf(server, owner)
    const failures = this.#failures.get(attempts)
    if (failures !== undefined && failures.retryAt > this.#now()) {
      throw new Fault(
        'UPSTREAM_UNAVAILABLE',
        `${server.name} failed ${failures.count} times; it is tried again at ${isoTime(failures.retryAt)}`,
      )
    }
    const transport = JSON.stringify(server.transport)
    const known = this.#stateful.get(server.name) === transport ? ({ known: 'stateful' } as const) : {}
    const log = this.#options.log.child({ server: server.name, owner })
    const clientInfo = { name: 'ephor', version: this.#options.version }
    const resolveSecret = (text: string): string => this.#options.vault.resolve(text)
    const opened = openConnection({ transport: server.transport, resolveSecret, clientInfo, limits: this.#limits, log, ...known })
    const opening = opened.then((found) => this.#began(key, slot, found, log))
    const slot: Slot = { server: server.name, owner, transport, attempts, opening }
    this.#slots.set(key, slot)
    slot.opening.catch((error: unknown) => {
      if (this.#slots.get(key) === slot) this.#slots.delete(key)
      if (error instanceof Fault && error.code === 'UPSTREAM_UNAVAILABLE') this.#failed(attempts)
      log.warn({ reason: error instanceof Error ? error.message : 'unknown' }, 'the tool server could not be started')
    })
    return slot
  }

  async #began(key: string, slot: Slot, { peer, greeting }: Opened, log: Logger): Promise<Live> {
    if (this.#closed || this.#slots.get(key) !== slot) {
      await peer.close()
      throw new Fault('UPSTREAM_UNAVAILABLE', 'the connection was given up while it was opened')
    }
    if (!greeting.stateless) this.#stateful.set(slot.server, slot.transport)
    const clientInfo = { name: 'ephor', version: this.#options.version }
    const inputSchema = (tool: string) => this.#options.registry.tool(slot.server, tool)?.definition.inputSchema
    const onUse = (): void => this.#touch(key, slot)
    const upstream = new Connection({ server: slot.server, peer, greeting, clientInfo, inputSchema, onUse })
    const live: Live = { upstream, peer, since: this.#now() }
    slot.live = live
    upstream.onNotification((method) => {
      if (method === 'notifications/tools/list_changed') this.#inspector.changed(slot.server)
    })
    peer.onClose((reason) => this.#ended(key, slot, live, reason, log))
    this.#touch(key, slot)
    log.info({ protocol: greeting.protocolVersion }, 'connected to the tool server')
    return live
  }

  #ended(key: string, slot: Slot, live: Live, reason: string, log: Logger): void {
    clearTimeout(live.idle)
    if (this.#slots.get(key) !== slot) return
    // Still ours, so it was not we who ended it.
    this.#slots.delete(key)
    if (this.#now() - live.since >= this.#limits.healthyMs) this.#failures.delete(slot.attempts)
    this.#failed(slot.attempts)
    log.warn({ reason }, 'the tool server is gone')
    // A wire that broke may have left something behind: a process that closed its output, an open stream.
    void live.peer.close()
    if (slot.owner === SYSTEM) this.#inspector.lost(slot.server)
  }

  /** Closing a connection does not forget its failures: an agent must not get around the pause by coming back. */
  #failed(attempts: Attempts): void {
    const { backoffBaseMs, backoffMaxMs, healthyMs } = this.#limits
    const now = this.#now()
    for (const [key, { retryAt }] of this.#failures) if (retryAt + healthyMs < now) this.#failures.delete(key)
    const random = (this.#options.random ?? Math.random)()
    this.#failures.set(attempts, afterFailure(this.#failures.get(attempts), now, random, backoffBaseMs, backoffMaxMs))
  }

  /** Restarts the idle clock. Ephor's own connection stays, to hear of changed tools. */
  #touch(key: string, slot: Slot): void {
    const live = slot.live
    if (live === undefined || slot.owner === SYSTEM) return
    if (live.idle !== undefined) return void live.idle.refresh()
    live.idle = setTimeout(() => {
      if (live.peer.inFlight > (live.upstream.listening ? 1 : 0)) return this.#touch(key, slot)
      void this.#drop((other) => other === slot)
    }, this.#limits.idleMs)
    live.idle.unref()
  }

  /** After a change in the registry: a server that was removed or moved keeps no connection. */
  #reconsider(name: string): void {
    const server = this.#options.registry.server(name)
    const gone = server === undefined || server.state === 'removed'
    const transport = gone ? undefined : JSON.stringify(server.transport)
    const stale = (slot: Slot): boolean =>
      slot.server === name && (slot.transport !== transport || (server?.state !== 'accepted' && slot.owner !== SYSTEM))
    if (gone) this.#inspector.forget(name)
    void this.#drop(stale)
  }

  async #drop(matches: (slot: Slot) => boolean): Promise<void> {
    const dropped = [...this.#slots].filter(([, slot]) => matches(slot))
    for (const [key] of dropped) this.#slots.delete(key)
    await Promise.all(
      dropped.map(async ([, slot]) => {
        const live = await slot.opening.catch(() => undefined)
        clearTimeout(live?.idle)
        await live?.peer.close()
      }),
    )
  }
}

function keyOf(server: string, owner: string): string {
  return JSON.stringify([server, owner])
}

function attemptsOf(server: ToolServer, owner: string): Attempts {
  return JSON.stringify([server.name, owner, server.transport])
}

/** Opens nothing yet: connections start when they are asked for. */
export function openUpstreams(options: UpstreamsOptions): Upstreams {
  return new OpenUpstreams(options)
}
