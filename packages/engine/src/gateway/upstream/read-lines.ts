/** Splits a byte stream into lines of bounded length; what is longer is discarded while it streams, never held. */

export type LineReader = (chunk: Buffer) => void

const EDGE = 256

/**
 * `onTooLong` gets the discarded line's first and last bytes (at most 256 each) and its length, so that its request can be told.
 */
export function readLines(
  maxBytes: number,
  onLine: (line: string) => void,
  onTooLong: (head: string, tail: string, bytes: number) => void,
): LineReader {
  let parts: Buffer[] = []
  let length = 0
  let head: Buffer | undefined
  let tail = Buffer.alloc(0)

  function take(piece: Buffer): void {
    length += piece.length
    if (head === undefined) {
      parts.push(piece)
      if (length <= maxBytes) return
      const held = Buffer.concat(parts)
      head = Buffer.from(held.subarray(0, EDGE))
      tail = Buffer.from(held.subarray(-EDGE))
      parts = []
      return
    }
    tail = Buffer.from(Buffer.concat([tail, piece.subarray(-EDGE)]).subarray(-EDGE))
  }

  function end(): void {
    if (head !== undefined) onTooLong(head.toString('latin1'), tail.toString('latin1'), length)
    else if (length > 0) onLine(Buffer.concat(parts).toString('utf8'))
    parts = []
    length = 0
    head = undefined
  }

  return (chunk) => {
    let start = 0
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, start)) {
      take(chunk.subarray(start, at))
      end()
      start = at + 1
    }
    if (start < chunk.length) take(chunk.subarray(start))
  }
}
