/** Reads the event stream: entries of the ledger as they become durable, resumed where it broke off. */
import { EventView, eventsOperations } from '@ephor/contract'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { z } from 'zod'
import { reach, toFault } from './client.ts'
import type { ClientOptions } from './client.ts'

export type LedgerEvent = z.output<typeof EventView>
export type EventsQuery = {
  /** Only types that start with one of these. */
  types?: readonly string[]
  /** Start after this place; the end of the ledger unless said. */
  after?: number
  signal: AbortSignal
}

/** Ends when the signal fires; reconnects by itself when the connection breaks. @throws Fault when Ephor refuses the stream. */
export async function* readEvents(options: ClientOptions, { types, after, signal }: EventsQuery): AsyncGenerator<LedgerEvent> {
  let last = after
  let pause = 500
  while (!signal.aborted) {
    try {
      const url = new URL(options.url.replace(/\/+$/, '') + eventsOperations.streamEvents.path)
      if (types?.length) url.searchParams.set('types', types.join(','))
      if (last !== undefined) url.searchParams.set('after', String(last))
      const bearer = await options.bearer?.()
      const headers = { accept: 'text/event-stream', ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) }
      const response = await reach(options, url, { headers, signal })
      if (!response.ok || !response.body) throw await toFault(response)
      pause = 500
      for await (const { data } of response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())) {
        const event = EventView.parse(JSON.parse(data))
        last = event.seq
        yield event
      }
    } catch (error) {
      if (signal.aborted) return
      // A connection that breaks in the middle is a TypeError of fetch; what Ephor answers is final.
      if (!(error instanceof TypeError)) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, pause))
    pause = Math.min(pause * 2, 15_000)
  }
}
