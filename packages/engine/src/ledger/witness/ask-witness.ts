/** One request to one witness (c2sp.org/tlog-witness): it may be slow, wrong or hostile, and nothing that it says is believed unchecked. */
import { createHash } from 'node:crypto'
import { appendSignature, formatAddCheckpoint, parseSignatureLines, ProofError, sameBytes, verifyCosignature } from '@ephor/proof'
import type { CosignerKey, Hash } from '@ephor/proof'
import type { Published } from '../types.ts'
import type { Witness } from './types.ts'

/** A dozen signature lines, post-quantum ones too. */
const MAX_ANSWER = 64 * 1024
/** For one answer, in ms. */
const PATIENCE_MS = 10_000
/** How far a witness's clock may be off, in seconds. */
const SKEW_S = 300
/** A witness that keeps naming other sizes is given up for now. */
const MAX_TRIES = 3

export type Asked =
  /** `time`: the witness's, in seconds since 1970. */
  | { kind: 'cosigned'; line: string; time: number }
  | { kind: 'failed'; detail: string }
  /** It cosigned something that this checkpoint does not continue, or says so. `size`: how much of the ledger it has seen. */
  | { kind: 'refused'; detail: string; size: number }

export type Asking = {
  witness: Witness
  target: Published
  /** What the witness cosigned last, as far as is known. */
  known: number
  proofOf: (old: number, size: number) => Promise<Hash[]>
  /** ms since 1970. */
  now: () => number
  signal: AbortSignal
}

class Answer {
  readonly status: number
  readonly type: string
  readonly text: string
  constructor(status: number, type: string, text: string) {
    this.status = status
    this.type = type
    this.text = text
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  // Leaving the loop by an error cancels the rest of the body.
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MAX_ANSWER) throw new Error(`its answer is longer than ${MAX_ANSWER} bytes`)
    chunks.push(chunk)
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
}

async function send(url: string, signal: AbortSignal, body?: string): Promise<Answer> {
  const response = await fetch(url, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
    redirect: 'error',
    ...(body === undefined ? {} : { method: 'POST', body, headers: { 'content-type': 'text/plain; charset=utf-8' } }),
  })
  return new Answer(response.status, response.headers.get('content-type') ?? '', await readText(response))
}

/** Cosignatures are of the same checkpoint, by the key that is configured, and of now: an older one may be a replay. */
async function readCosignature(text: string, note: string, key: CosignerKey, now: number): Promise<Asked> {
  const isOwn = (line: string) => parseSignatureLines(line).some(({ name, keyId }) => name === key.name && sameBytes(keyId, key.keyId))
  try {
    parseSignatureLines(text)
    const line = text.split(/(?<=\n)/).find(isOwn)
    if (line === undefined) return { kind: 'failed', detail: 'it answered without a cosignature of its key' }
    const { time } = await verifyCosignature(appendSignature(note, line), key)
    if (Math.abs(time - now / 1000) > SKEW_S)
      return { kind: 'failed', detail: `its cosignature is of ${new Date(time * 1000).toISOString()}` }
    return { kind: 'cosigned', line, time }
  } catch (error) {
    if (error instanceof ProofError) return { kind: 'failed', detail: `its answer is no cosignature: ${error.message}` }
    throw error
  }
}

/** The size in a 409. */
function readSize({ text, type }: Answer): number | undefined {
  const [, digits] = /^(0|[1-9][0-9]{0,14})\n$/.exec(text) ?? []
  return type.startsWith('text/x.tlog.size') && digits !== undefined ? Number(digits) : undefined
}

async function ask({ witness, target, known, proofOf, now, signal }: Asking): Promise<Asked> {
  let old = Math.min(known, target.size)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const body = formatAddCheckpoint({ old, proof: await proofOf(old, target.size), checkpoint: target.note })
    const answer = await send(`${witness.url}/add-checkpoint`, signal, body)
    if (answer.status === 200) return readCosignature(answer.text, target.note, witness.key, now())
    if (answer.status === 422) return { kind: 'refused', detail: 'it says that this is another history than it has cosigned', size: old }
    if (answer.status !== 409) return { kind: 'failed', detail: `it answered with status ${answer.status}` }
    const size = readSize(answer)
    if (size === undefined) return { kind: 'failed', detail: 'it answered 409 without a size' }
    if (size > target.size) return { kind: 'refused', detail: `it has seen ${size} entries of this ledger`, size }
    if (size === old) return { kind: 'failed', detail: `it answered 409 with the size ${size} that it was asked with` }
    old = size
  }
  return { kind: 'failed', detail: 'it named another size each time' }
}

/** Never throws: whatever a witness does, the ledger goes on. */
export async function askWitness(asking: Asking): Promise<Asked> {
  try {
    return await ask(asking)
  } catch (error) {
    const { name, message, cause } = error as Error
    const detail = name === 'TimeoutError' ? `no answer within ${PATIENCE_MS / 1000} s` : cause instanceof Error ? cause.message : message
    return { kind: 'failed', detail }
  }
}

/** What the witness shows to monitors: the checkpoint that it cosigned last, as evidence; undefined when it shows none. */
export async function readMonitored({ url }: Witness, origin: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await send(`${url}/${createHash('sha256').update(origin).digest('hex')}/checkpoint`, signal)
    return answer.status === 200 ? answer.text : undefined
  } catch {
    return undefined
  }
}
