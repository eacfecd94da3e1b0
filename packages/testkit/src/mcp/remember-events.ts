/** The events of one session, so that a client that lost a stream gets what it missed (2025-11-25, resumability). */
import type { EventStore } from '@modelcontextprotocol/server'

const MAX_EVENTS = 1_000

export function rememberEvents(): EventStore {
  const events: { id: string; stream: string; message: Parameters<EventStore['storeEvent']>[1] }[] = []
  let count = 0
  return {
    async storeEvent(stream, message) {
      const id = `${stream}:${++count}`
      events.push({ id, stream, message })
      if (events.length > MAX_EVENTS) events.shift()
      return id
    },
    async replayEventsAfter(lastId, { send }) {
      const at = events.findIndex(({ id }) => id === lastId)
      const stream = lastId.slice(0, lastId.lastIndexOf(':'))
      for (const event of events.slice(at + 1)) {
        // A priming event has no message to repeat.
        if (event.stream === stream && Object.keys(event.message).length > 0) await send(event.id, event.message)
      }
      return stream
    },
  }
}
