/** The words of the outbox: what a sink does, what is known of it, and what the room offers. */
import type { CloudEvent } from '@ephor/engine/ledger'

/** Where entries go. One event at a time, the next only after the one before was acknowledged: that is what keeps the order. */
export interface Sink {
  /**
   * Resolves when the receiver has it safely.
   * @throws anything when it does not, or when nobody knows; DeliveryFailure to say more. It is sent again.
   */
  send(event: CloudEvent, signal: AbortSignal): Promise<void>
  /** Lets go of connections; `send` may come again. */
  close(): Promise<void>
}

export type FailureHint = {
  /** The receiver asked for at least this pause. */
  retryAfterMs?: number
  /** The receiver will never take anything again: nothing more is sent until a person says so. */
  gone?: true
}

/** Why an event was not taken. Its message is shown to people and logged: no secret, nothing that the receiver wrote. */
export class DeliveryFailure extends Error {
  readonly hint: FailureHint

  constructor(message: string, hint: FailureHint = {}) {
    super(message)
    this.name = 'DeliveryFailure'
    this.hint = hint
  }
}

export type SinkOptions = {
  name: string
  /** `decision` takes `decision` and `decision.…`; empty takes everything. */
  types: readonly string[]
  /** Where a sink begins that was never there before: at the next entry, or at the first of the ledger. */
  from: 'now' | 'start'
  nats?: NatsOptions | undefined
  webhook?: WebhookOptions | undefined
}

/** Texts for secrets are references, `secret:NAME` or `file:PATH`. */
export type NatsOptions = {
  servers: readonly string[]
  stream: string
  /** Subjects are `<prefix>.<type>`. */
  prefix: string
  /** Make the stream when it is not there. */
  create: boolean
  token?: string | undefined
  user?: string | undefined
  password?: string | undefined
  /** The seed (`SU…`). */
  nkey?: string | undefined
  /** A credentials file as `nsc` writes it. */
  credentials?: string | undefined
  tls?: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined } | undefined
}

export type WebhookOptions = {
  url: string
  /** `whsec_…` signs v1, `whsk_…` signs v1a; several while one replaces another. */
  secrets: readonly string[]
  /** Addresses of private networks and of this machine are refused unless this says so. */
  allowPrivate: boolean
  timeoutMs: number
}

export type SinkStatus = {
  name: string
  /** `unset`: the settings name it no more; its position is kept. */
  state: 'on' | 'off' | 'unset'
  /** The next entry to be delivered. */
  position: number
  /** Entries after it that are in the ledger. */
  lag: number
  /** The replica that delivers. */
  holder?: string
  deliveredAt?: number
  failures: number
  failedAt?: number
  error?: string
}

export interface Outbox {
  sinks(): Promise<SinkStatus[]>
  /**
   * Delivers again from an entry on, or goes on where it stands; a sink that was switched off is on again. Recorded.
   * @throws Fault NOT_FOUND, REQUEST_INVALID when `from` is beyond the ledger
   */
  replay(name: string, from: number | undefined, by: string): Promise<SinkStatus>
  /** What somebody should look at, one sentence a sink, without what is inside. */
  warnings(): Promise<string[]>
  /** Something was appended, here or by another replica. */
  wake(): void
  close(): Promise<void>
}
