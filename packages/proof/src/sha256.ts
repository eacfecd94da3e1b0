/** SHA-256 (FIPS 180-4), synchronous: Node's own where it is, a small one elsewhere (WebCrypto's is asynchronous, which a tree of a million nodes can't wait for). */

type NodeCrypto = { hash?(algorithm: string, data: Uint8Array, encoding: 'latin1'): string }

const BLOCK = 64
const PRIMES = primes(64)
const K = Int32Array.from(PRIMES, (p) => fraction(Math.cbrt(p)))
const START = Int32Array.from(PRIMES.slice(0, 8), (p) => fraction(Math.sqrt(p)))
// Nothing here waits, so one set of these is enough; a call allocates its digest alone.
const state = new Int32Array(8)
const w = new Int32Array(64)
const last = new Uint8Array(2 * BLOCK)

function primes(count: number): number[] {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) if (found.every((p) => n % p !== 0)) found.push(n)
  return found
}

/** The first 32 bits of the fractional part. */
function fraction(x: number): number {
  return Math.floor((x - Math.floor(x)) * 2 ** 32) | 0
}

const at = (words: Int32Array, i: number) => words[i] as number

/** Section 6.2.2. Plain variables and indices: this runs twice for each node of a tree. */
function compress(bytes: Uint8Array, offset: number): void {
  for (let i = 0, p = offset; i < 16; i++, p += 4)
    w[i] = ((bytes[p] as number) << 24) | ((bytes[p + 1] as number) << 16) | ((bytes[p + 2] as number) << 8) | (bytes[p + 3] as number)
  for (let i = 16; i < 64; i++) {
    const x = at(w, i - 15)
    const y = at(w, i - 2)
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    w[i] = (at(w, i - 16) + s0 + at(w, i - 7) + s1) | 0
  }
  let a = at(state, 0)
  let b = at(state, 1)
  let c = at(state, 2)
  let d = at(state, 3)
  let e = at(state, 4)
  let f = at(state, 5)
  let g = at(state, 6)
  let h = at(state, 7)
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(K, i) + at(w, i)) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  state[0] = at(state, 0) + a
  state[1] = at(state, 1) + b
  state[2] = at(state, 2) + c
  state[3] = at(state, 3) + d
  state[4] = at(state, 4) + e
  state[5] = at(state, 5) + f
  state[6] = at(state, 6) + g
  state[7] = at(state, 7) + h
}

/** The portable implementation; `sha256` uses it where the platform has no synchronous one. */
export function portableSha256(data: Uint8Array): Uint8Array {
  state.set(START)
  const whole = data.length - (data.length % BLOCK)
  for (let offset = 0; offset < whole; offset += BLOCK) compress(data, offset)
  const rest = data.length - whole
  const padded = rest < BLOCK - 8 ? BLOCK : 2 * BLOCK
  last.fill(0)
  for (let i = 0; i < rest; i++) last[i] = data[whole + i] as number
  last[rest] = 0x80
  const view = new DataView(last.buffer)
  view.setUint32(padded - 8, Math.floor(data.length / 2 ** 29))
  view.setUint32(padded - 4, data.length << 3)
  for (let offset = 0; offset < padded; offset += BLOCK) compress(last, offset)
  const digest = new Uint8Array(32)
  for (let i = 0; i < 8; i++) {
    const word = at(state, i)
    digest[4 * i] = word >>> 24
    digest[4 * i + 1] = word >>> 16
    digest[4 * i + 2] = word >>> 8
    digest[4 * i + 3] = word
  }
  return digest
}

const node = globalThis.process?.getBuiltinModule?.('node:crypto') as unknown as NodeCrypto | undefined

/** As a string, since each Buffer that Node gives has memory of its own to be collected, which takes longer than the hashing. */
function nodeSha256(data: Uint8Array): Uint8Array {
  const text = (node as Required<NodeCrypto>).hash('sha256', data, 'latin1')
  const digest = new Uint8Array(32)
  for (let i = 0; i < 32; i++) digest[i] = text.charCodeAt(i)
  return digest
}

/** @returns 32 bytes */
export const sha256: (data: Uint8Array) => Uint8Array = node?.hash ? nodeSha256 : portableSha256
