/** The answer to one request: one JSON body when it comes soon and alone, otherwise server-sent events with the answer as the last. */
import type { ServerResponse } from 'node:http'
import type { JsonObject } from '@ephor/engine/kernel'
import type { EventRing } from './event-ring.ts'

export type ReplyOptions = {
  /** How often an idle stream gets a comment, in ms. */
  keepAliveMs: number
  /** Bytes that may wait for a reader who doesn't read before what may be lost is dropped. */
  maxBacklogBytes: number
  headers?: Record<string, string>
  /** Where the events are kept for a client that lost its connection. */
  ring?: EventRing
  /** Whether the client understands an event without data, from which it can resume before there is a message (since 2025-11-25). */
  primes?: boolean
}

/** After this long a client of a session gets a stream, so that it has something to resume. */
const STREAM_AFTER_MS = 200
/** How long a client should wait before it resumes. */
const RETRY_MS = 1_000

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  // A proxy that keeps or rewrites events would hold up what waits for them.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}

let streams = 0

/** One event. Its data is JSON on one line. */
const eventOf = (text: string, id: string | undefined) => `event: message\n${id === undefined ? '' : `id: ${id}\n`}data: ${text}\n\n`

export class Reply {
  /** What the events of this answer go by in the ring. */
  readonly stream = String(++streams)
  readonly #options: ReplyOptions
  #response: ServerResponse | undefined
  #streaming = false
  #ended = false
  #timer: NodeJS.Timeout | undefined

  constructor(response: ServerResponse | undefined, options: ReplyOptions) {
    this.#options = options
    this.#attach(response)
    if (response !== undefined && options.ring !== undefined) this.#timer = setTimeout(() => this.#begin(), STREAM_AFTER_MS)
  }

  /** Whether somebody is connected to it. */
  get isOpen(): boolean {
    return this.#response !== undefined
  }

  /** Bytes that wait for the reader. */
  get waiting(): number {
    return this.#response?.writableLength ?? 0
  }

  /** Sends a message ahead of the answer. @param expendable is dropped when the reader is slow */
  send(message: JsonObject, expendable = false): void {
    if (this.#ended) return
    this.#begin()
    if (!(expendable && this.waiting > this.#options.maxBacklogBytes)) this.#event(JSON.stringify(message))
  }

  /** Sends the answer, or ends without one. @param status where it is no stream yet */
  end(message?: JsonObject, status = 200): void {
    if (this.#ended) return
    if (message === undefined || this.#streaming) {
      this.#begin()
      if (message !== undefined) this.#event(JSON.stringify(message))
      this.#ended = true
      this.#response?.end()
    } else {
      this.#ended = true
      clearTimeout(this.#timer)
      this.#sendJson(JSON.stringify(message), status)
    }
  }

  /** Goes on over another connection, with the events that the client missed. */
  resume(response: ServerResponse, missed: readonly { id: string; text: string }[]): void {
    this.#attach(response)
    this.#open()
    for (const { id, text } of missed) if (text !== '') this.#response?.write(eventOf(text, id))
    if (this.#ended) response.end()
  }

  /** Breaks the connection; the events stay for a client that resumes. */
  cut(): void {
    this.#response?.destroy()
    this.#response = undefined
  }

  /** Makes it a stream. */
  #begin(): void {
    clearTimeout(this.#timer)
    if (this.#streaming) return
    this.#open()
    const { ring, primes } = this.#options
    if (ring === undefined || primes !== true) return
    const id = ring.store(this.stream, '')
    this.#response?.write(`id: ${id}\nretry: ${RETRY_MS}\ndata: \n\n`)
  }

  #attach(response: ServerResponse | undefined): void {
    this.#response = response
    response?.once('close', () => {
      if (this.#response === response) this.#response = undefined
    })
  }

  #open(): void {
    this.#streaming = true
    const response = this.#response
    if (response === undefined) return
    response.writeHead(200, { ...STREAM_HEADERS, ...this.#options.headers }).flushHeaders()
    const alive = setInterval(() => response.write(': keep-alive\n\n'), this.#options.keepAliveMs)
    response.once('close', () => clearInterval(alive))
  }

  #event(text: string): void {
    const id = this.#options.ring?.store(this.stream, text)
    this.#response?.write(eventOf(text, id))
  }

  #sendJson(text: string, status: number): void {
    const length = Buffer.byteLength(text)
    this.#response?.writeHead(status, { 'content-type': 'application/json', 'content-length': length, ...this.#options.headers }).end(text)
  }
}
