/** The last events of a session, so that a client whose connection broke can fetch what it missed; bounded in number and bytes. */

const MAX_EVENTS = 512
const MAX_BYTES = 1024 * 1024

type Stored = { id: string; stream: string; text: string }

export type EventRing = {
  /** Keeps an event for a while and names it. */
  store(stream: string, text: string): string
  /** The stream of an event and what came on it since, while the event is kept. */
  after(id: string): { stream: string; missed: { id: string; text: string }[] } | undefined
}

export function createEventRing(): EventRing {
  const events: Stored[] = []
  let bytes = 0
  let next = 0

  return {
    store(stream, text) {
      const id = String(next++)
      events.push({ id, stream, text })
      bytes += text.length
      while (events.length > MAX_EVENTS || bytes > MAX_BYTES) bytes -= events.shift()?.text.length ?? 0
      return id
    },

    after(id) {
      const at = events.findIndex((event) => event.id === id)
      const stream = events[at]?.stream
      return stream === undefined ? undefined : { stream, missed: events.slice(at + 1).filter((event) => event.stream === stream) }
    },
  }
}
