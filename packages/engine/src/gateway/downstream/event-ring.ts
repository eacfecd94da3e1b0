/** The last events of a session, so that a client whose connection broke can fetch what it missed; bounded in number and bytes. */
import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server'

const MAX_EVENTS = 512
const MAX_BYTES = 1024 * 1024

/** Standalone notifications go by this stream id in the SDK's transport. */
export const STANDALONE_STREAM = '_GET_stream'

type Stored = { id: string; stream: string; message: JSONRPCMessage; bytes: number }

export type EventRing = EventStore & {
  /** The stream that an event id belongs to, while the event is kept. */
  streamOf(eventId: string): string | undefined
}

/** @param onStored sees each message that is sent, with its stream. */
export function createEventRing(onStored: (stream: string, message: JSONRPCMessage) => void): EventRing {
  const events: Stored[] = []
  let bytes = 0
  let next = 0

  return {
    async storeEvent(stream, message) {
      const id = String(next++)
      onStored(stream, message)
      const size = JSON.stringify(message).length
      events.push({ id, stream, message, bytes: size })
      bytes += size
      while (events.length > MAX_EVENTS || bytes > MAX_BYTES) bytes -= events.shift()?.bytes ?? 0
      return id
    },

    async getStreamIdForEventId(eventId) {
      return events.find(({ id }) => id === eventId)?.stream
    },

    async replayEventsAfter(lastEventId, { send }) {
      const from = events.findIndex(({ id }) => id === lastEventId)
      const stream = events[from]?.stream
      if (stream === undefined) throw new Error('the event is no longer kept')
      for (const event of events.slice(from + 1)) {
        if (event.stream === stream && 'jsonrpc' in event.message) await send(event.id, event.message)
      }
      return stream
    },

    streamOf: (eventId) => events.find(({ id }) => id === eventId)?.stream,
  }
}
