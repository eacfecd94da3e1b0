/** Cuts a stream into lines of UTF-8 with a limit, so that no line, however long, has to fit into memory. */

export type Line = { text: string } | { problem: { code: 'BODY_TOO_LARGE' | 'JSON_INVALID'; message: string } }

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(parts: readonly Uint8Array[]): Line | undefined {
  try {
    const text = utf8.decode(Buffer.concat(parts))
    return text.trim() === '' ? undefined : { text }
  } catch {
    return { problem: { code: 'JSON_INVALID', message: 'the line is not UTF-8' } }
  }
}

/** Blank lines are passed over; a line over the limit is a problem, and what follows it is read as ever. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  const tooLong: Line = { problem: { code: 'BODY_TOO_LARGE', message: `the line is longer than ${maxBytes} bytes` } }
  let parts: Uint8Array[] = []
  let size = 0
  const add = (part: Uint8Array) => {
    size += part.byteLength
    if (size > maxBytes) parts = []
    else parts.push(part)
  }
  const finish = () => {
    const line = size > maxBytes ? tooLong : decode(parts)
    parts = []
    size = 0
    return line
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      add(chunk.subarray(start, end))
      start = end + 1
      const line = finish()
      if (line) yield line
    }
    add(chunk.subarray(start))
  }
  const last = finish()
  if (last) yield last
}
