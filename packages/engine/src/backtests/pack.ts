/** A stretch as it crosses to a thread: one block of bytes that changes hands, since copying thousands of small ones takes longer than using them. */
import type { SealedEntries } from '@ephor/engine/ledger'

type Sealed = SealedEntries['entries'][number]

export type Packed = {
  bytes: Uint8Array<ArrayBuffer>
  /** `hash`, `sealed`: where they end in the block; each begins where the one before ends. */
  entries: { seq: number; id: string | null; body: string; hash: number; payloads: { name: string; subject: string; sealed: number }[] }[]
  keys: SealedEntries['keys']
}

export function pack({ entries, keys }: SealedEntries): Packed {
  const parts: Uint8Array[] = []
  let end = 0
  const put = (part: Uint8Array) => {
    parts.push(part)
    return (end += part.length)
  }
  const packed = entries.map(({ row: { seq, id, body, leaf_hash: hash }, payloads }) => ({
    seq,
    id,
    body,
    hash: put(hash),
    payloads: payloads.map(({ name, subject, sealed }) => ({ name, subject, sealed: put(sealed) })),
  }))
  const bytes = new Uint8Array(end)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return { bytes, entries: packed, keys }
}

export function unpack({ bytes, entries, keys }: Packed): Pick<SealedEntries, 'entries' | 'keys'> {
  let at = 0
  const take = (end: number) => bytes.subarray(at, (at = end))
  const opened = entries.map(({ seq, id, body, hash, payloads }): Sealed => ({
    row: { seq, id, body, leaf_hash: take(hash) },
    payloads: payloads.map(({ name, subject, sealed }) => ({ name, subject, sealed: take(sealed) })),
  }))
  return { entries: opened, keys }
}
