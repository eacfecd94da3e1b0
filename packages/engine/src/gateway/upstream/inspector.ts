/** Keeps the registry's picture of each server's tools current: lists them when asked, when told of a change, and after a restart. */
import { Fault } from '@ephor/contract'
import type { Logger } from '@ephor/engine/kernel'
import type { Registry } from '@ephor/engine/registry'
import { listTools } from './list-tools.ts'
import { UpstreamError } from './upstream-error.ts'
import type { UpstreamLimits } from './limits.ts'
import type { Upstream } from './upstreams.ts'

export type InspectorOptions = {
  registry: Pick<Registry, 'observeTools' | 'observeFailure'>
  limits: UpstreamLimits
  log: Logger
  connect: (server: string) => Promise<Upstream>
  /** When a server that failed may be tried again, in milliseconds since 1970. */
  retryAt: (server: string) => number
  now: () => number
}

type State = { running: Promise<void> | undefined; again: boolean; timer: NodeJS.Timeout | undefined }

/** Between two listings that a server itself asks for. */
const MIN_PAUSE_MS = 1_000

export class Inspector {
  readonly #options: InspectorOptions
  readonly #states = new Map<string, State>()
  readonly #closing = new AbortController()

  constructor(options: InspectorOptions) {
    this.#options = options
  }

  /** Lists now; when a listing runs already, once more after it. @throws why the tools could not be listed or were refused */
  async inspect(server: string): Promise<void> {
    const state = this.#stateOf(server)
    if (state.running !== undefined) await state.running.catch(() => {})
    state.running ??= this.#list(server).finally(() => {
      state.running = undefined
    })
    await state.running
  }

  /** The server says that its tools changed. However often it says so, it is listed at most once in a while. */
  changed(server: string): void {
    if (this.#states.has(server)) this.#later(server, MIN_PAUSE_MS / 10)
  }

  /** The connection that listened is gone: a restarted server may have other tools. */
  lost(server: string): void {
    if (this.#states.has(server)) this.#later(server, Math.max(MIN_PAUSE_MS / 10, this.#options.retryAt(server) - this.#options.now()))
  }

  forget(server: string): void {
    clearTimeout(this.#states.get(server)?.timer)
    this.#states.delete(server)
  }

  close(): void {
    this.#closing.abort()
    for (const server of this.#states.keys()) this.forget(server)
  }

  #stateOf(server: string): State {
    const state = this.#states.get(server) ?? { running: undefined, again: false, timer: undefined }
    this.#states.set(server, state)
    return state
  }

  #later(server: string, ms: number): void {
    const state = this.#stateOf(server)
    state.again = true
    if (state.timer !== undefined) return
    state.timer = setTimeout(() => void this.#relist(server, state), ms)
    state.timer.unref()
  }

  async #relist(server: string, state: State): Promise<void> {
    state.again = false
    let pause = MIN_PAUSE_MS
    try {
      await this.inspect(server)
    } catch (error) {
      this.#options.log.warn({ server, reason: error instanceof Error ? error.message : 'unknown' }, 'the tools could not be listed again')
      const gone = error instanceof Fault && error.code.startsWith('UPSTREAM_')
      if (gone) {
        state.again = true
        pause = Math.max(MIN_PAUSE_MS, this.#options.retryAt(server) - this.#options.now())
      }
    }
    if (this.#states.get(server) !== state) return
    state.timer = setTimeout(() => {
      state.timer = undefined
      if (state.again) void this.#relist(server, state)
    }, pause)
    state.timer.unref()
  }

  async #list(server: string): Promise<void> {
    const { registry, connect, limits } = this.#options
    let definitions
    try {
      definitions = await listTools(await connect(server), limits, this.#closing.signal)
    } catch (error) {
      const told = error instanceof UpstreamError ? `it answered ${error.code}: ${error.message.slice(0, 200)}` : undefined
      if (told !== undefined || error instanceof Fault) registry.observeFailure(server, told ?? (error as Fault).message)
      throw told === undefined ? error : new Fault('UPSTREAM_ERROR', told)
    }
    await registry.observeTools(server, definitions)
  }
}
