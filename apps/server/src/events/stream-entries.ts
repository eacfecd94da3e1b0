/** Writes ledger entries to one reader as server-sent events (WHATWG HTML 9.2): from where it left off, then as they come. */
import type { ServerResponse } from 'node:http'
import { entryType } from '@ephor/engine/ledger'
import type { Entry, Ledger } from '@ephor/engine/ledger'

const PAGE = 200

export type StreamOptions = {
  ledger: Pick<Ledger, 'list'>
  onAppend(listener: () => void): () => void
  /** The place of the last entry that the reader has seen; -1 for none. */
  after: number
  /** Only types that start with one of these; empty for all. */
  types: readonly string[]
  heartbeatMs: number
  /** A reader that takes nothing for this long is dropped: it can resume later, and nothing is buffered for it. */
  slowMs: number
  /** Asked at each heartbeat; the stream ends once its reader may no longer read. */
  stillAllowed(): Promise<boolean>
  signal: AbortSignal
}

function format(entry: Entry): string {
  const event = { seq: entry.seq, type: entryType(entry), at: entry.body['at'], body: entry.body }
  return `id: ${entry.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}

/** Resolves true when the reader took the bytes, false when it was too slow or went away. */
function write(response: ServerResponse, text: string, slowMs: number): Promise<boolean> {
  if (response.write(text)) return Promise.resolve(true)
  return new Promise((resolve) => {
    const settle = (taken: boolean) => {
      clearTimeout(timer)
      response.off('drain', drained).off('close', closed)
      resolve(taken)
    }
    const drained = () => settle(true)
    const closed = () => settle(false)
    const timer = setTimeout(() => settle(false), slowMs)
    response.once('drain', drained).once('close', closed)
  })
}

/** Resolves when the stream is over: the reader went, was too slow, may not read any more, or the server stops. */
export async function streamEntries(response: ServerResponse, options: StreamOptions): Promise<void> {
  const { ledger, types, slowMs, signal } = options
  let { after } = options
  let grew = true
  let beat = false
  let wake = () => {}
  const stopListening = options.onAppend(() => {
    grew = true
    wake()
  })
  const heart = setInterval(() => {
    beat = true
    wake()
  }, options.heartbeatMs)
  const end = () => wake()
  response.once('close', end)
  signal.addEventListener('abort', end)

  /** Everything the ledger has after `after`; false when the reader is to be dropped. */
  async function catchUp(): Promise<boolean> {
    for (;;) {
      const entries = await ledger.list({ after, limit: PAGE })
      const text = entries
        .filter((entry) => types.length === 0 || types.some((type) => entryType(entry).startsWith(type)))
        .map(format)
        .join('')
      after = entries.at(-1)?.seq ?? after
      if (text !== '' && !(await write(response, text, slowMs))) return false
      if (entries.length < PAGE) return true
    }
  }

  try {
    while (!signal.aborted && !response.destroyed) {
      if (grew) {
        grew = false
        if (!(await catchUp())) break
      } else if (beat) {
        beat = false
        // A comment line: keeps proxies from closing the connection, and finds readers that are gone.
        if (!(await options.stillAllowed()) || !(await write(response, ': \n\n', slowMs))) break
      } else {
        await new Promise<void>((resolve) => (wake = resolve))
      }
    }
  } finally {
    clearInterval(heart)
    stopListening()
    signal.removeEventListener('abort', end)
    if (response.writableNeedDrain) response.destroy()
    else response.end()
  }
}
