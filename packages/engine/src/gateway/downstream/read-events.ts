/** Reads the answer to a Streamable HTTP request, whichever of its two forms it has: one JSON body or server-sent events. */
import type { JsonObject } from '@ephor/engine/kernel'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { JsonObjectSchema } from './caller.ts'

export type ReadEvent = { id: string | undefined; message: JsonObject | undefined }

function parse(text: string): JsonObject | undefined {
  return text === '' ? undefined : JsonObjectSchema.parse(JSON.parse(text))
}

/** Each event of the response. Rejects when the connection breaks or a message is not JSON. */
export async function* readEvents(response: Response): AsyncGenerator<ReadEvent> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
    yield { id: undefined, message: parse(await response.text()) }
    return
  }
  if (response.body === null) return
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
  for await (const { id, data } of events) yield { id, message: parse(data) }
}
