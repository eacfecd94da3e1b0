/** The one `subscriptions/listen` stream of a stateless connection (2026-07-28): what older servers announce unasked has to be asked for. */
import { isObject } from './peer.ts'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Peer } from './peer.ts'

const FIRST_PAUSE_MS = 1_000
const MAX_PAUSE_MS = 60_000
/** Resources that one connection may watch. */
const MAX_RESOURCES = 256

export class Subscription {
  readonly #peer: Peer
  readonly #meta: JsonObject
  readonly #lists: JsonObject
  readonly #resources = new Set<string>()
  #stream: AbortController | undefined
  #live = false
  #pauseMs = FIRST_PAUSE_MS
  #again: NodeJS.Timeout | undefined

  /** @param capabilities the server's: only what it announces is asked for. */
  constructor(peer: Peer, meta: JsonObject, capabilities: JsonObject) {
    this.#peer = peer
    this.#meta = meta
    const lists: JsonObject = {}
    for (const kind of ['tools', 'prompts', 'resources']) {
      const offered = capabilities[kind]
      if (isObject(offered) && offered['listChanged'] === true) lists[`${kind}ListChanged`] = true
    }
    this.#lists = lists
    peer.onClose(() => this.close())
    this.#listen()
  }

  /** Whether a stream is asked for now. */
  get open(): boolean {
    return this.#live
  }

  /** Whether there was room for it. */
  add(uri: string): boolean {
    if (this.#resources.has(uri)) return true
    if (this.#resources.size >= MAX_RESOURCES) return false
    this.#resources.add(uri)
    this.#listen()
    return true
  }

  delete(uri: string): void {
    if (this.#resources.delete(uri)) this.#listen()
  }

  close(): void {
    clearTimeout(this.#again)
    this.#stream?.abort()
    this.#stream = undefined
  }

  /** Opens a stream with the filter of now; the one before is dropped after, so that nothing falls between. */
  #listen(): void {
    clearTimeout(this.#again)
    const before = this.#stream
    this.#stream = undefined
    const filter: JsonObject = { ...this.#lists }
    if (this.#resources.size > 0) filter['resourceSubscriptions'] = [...this.#resources]
    if (Object.keys(filter).length > 0 && this.#peer.closed === undefined) this.#open(filter)
    before?.abort()
  }

  #open(filter: JsonObject): void {
    const stream = new AbortController()
    this.#stream = stream
    const openedAt = performance.now()
    this.#live = true
    const retry = (): void => {
      if (this.#stream === stream) this.#live = false
      if (this.#stream !== stream || this.#peer.closed !== undefined) return
      // A server that ends each stream at once is asked ever less often.
      this.#pauseMs = performance.now() - openedAt > MAX_PAUSE_MS ? FIRST_PAUSE_MS : Math.min(MAX_PAUSE_MS, this.#pauseMs * 2)
      this.#again = setTimeout(() => this.#listen(), this.#pauseMs)
      this.#again.unref()
    }
    this.#peer.request('subscriptions/listen', { _meta: this.#meta, notifications: filter }, { signal: stream.signal }).then(retry, retry)
  }
}
