/** Random bytes for nonces and salts, many from one system call: one call each cost more than the encryption itself. */
import { randomFillSync } from 'node:crypto'

const pool = Buffer.alloc(8192)
let used = pool.length

/** @param size bytes, 64 at most; never given out twice */
export function freshBytes(size: number): Buffer {
  if (used + size > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const bytes = Buffer.from(pool.subarray(used, used + size))
  pool.fill(0, used, (used += size))
  return bytes
}
