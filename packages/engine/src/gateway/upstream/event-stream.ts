/** Server-sent events of a tool server, one message after the other, each bounded in size (Streamable HTTP, Sending Messages to the Server). */
import { Fault } from '@ephor/contract'
import { createParser } from 'eventsource-parser'
import type { Answer } from './http-exchange.ts'

export type StreamEvents = {
  /** The data of an event of the kind `message`. */
  message: (data: string) => void
  /** The id to resume after. */
  id: (id: string) => void
  /** How long the server wants a client to wait before it resumes, in ms. */
  retry: (ms: number) => void
}

/**
 * Resolves when the stream ends; rejects when the connection breaks.
 * @throws Fault UPSTREAM_RESULT_TOO_LARGE
 */
export async function readEventStream({ body }: Answer, maxBytes: number, events: StreamEvents): Promise<void> {
  let tooLarge = false
  const parser = createParser({
    // What is kept of an unfinished event, in characters: never more than its bytes.
    maxBufferSize: maxBytes,
    onEvent({ id, event, data }) {
      if (data.length > maxBytes) tooLarge = true
      if (tooLarge) return
      if (id !== undefined && id !== '') events.id(id)
      if (data !== '' && (event === undefined || event === 'message')) events.message(data)
    },
    onRetry: events.retry,
    onError({ type }) {
      tooLarge ||= type === 'max-buffer-size-exceeded'
    },
  })
  const decoder = new TextDecoder()
  for await (const chunk of body as AsyncIterable<Buffer>) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    // Leaving the loop ends the connection.
    if (tooLarge) throw new Fault('UPSTREAM_RESULT_TOO_LARGE', `a message of more than ${maxBytes} bytes`)
  }
}
