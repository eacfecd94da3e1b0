/** How the keys of a log follow one another: rotations signed by the key before, and revocations, all entries of the log itself. */
import { fromBase64, utf8 } from './bytes.ts'
import { verifyEd25519 } from './ed25519.ts'
import { parseVerifierKey } from './note.ts'
import type { VerifierKey } from './note.ts'
import { Wrong } from './verdict.ts'

const ROTATED = 'ledger.key.rotated'
const REVOKED = 'ledger.key.revoked'

/** An entry whose type says that it is about the log's keys. */
export type KeyEntry = { seq: number; body: Record<string, unknown> }

export function isKeyEntry(type: string): boolean {
  return type === ROTATED || type === REVOKED
}

/** One key of a log and how long it spoke for it. */
export type KeyPeriod = {
  vkey: string
  /** The place of the entry that handed over to the next key: no checkpoint of this key covers it. */
  replacedAt?: number
  /** Checkpoints of this key above this size are not to be trusted. */
  revokedAbove?: number
  /** As the revocation says it. */
  reason?: string
}
export type LogKey = KeyPeriod & { key: VerifierKey }

/** Without the bytes: what a verdict says of it. */
export function periodOf({ vkey, replacedAt, revokedAbove, reason }: LogKey): KeyPeriod {
  return {
    vkey,
    ...(replacedAt !== undefined && { replacedAt }),
    ...(revokedAbove !== undefined && { revokedAbove }),
    ...(reason !== undefined && { reason }),
  }
}

/**
 * What the `from` key signs when it hands over, in UTF-8: four lines, which no note, cosignature or envelope starts with.
 * @param from,to verifier keys of the same log
 */
export function rotationStatement(origin: string, from: string, to: string): Uint8Array {
  return utf8(`ephor-ledger-key-rotation/v1\n${origin}\n${from}\n${to}\n`)
}

function refuse(seq: number, detail: string): never {
  throw new Wrong('KEY_CHAIN_INVALID', `entry ${seq}`, `Entry ${seq} changes the keys of the log, but ${detail}.`)
}

function readKey(origin: string, seq: number, vkey: unknown): LogKey {
  try {
    const key = parseVerifierKey(vkey as string)
    if (key.name === origin) return { vkey: (vkey as string).trim(), key }
  } catch {
    return refuse(seq, 'a key in it can’t be read')
  }
  return refuse(seq, 'a key in it is that of another log')
}

async function rotate(origin: string, chain: LogKey[], { seq, body }: KeyEntry): Promise<void> {
  const from = readKey(origin, seq, body['from'])
  const to = readKey(origin, seq, body['to'])
  const last = chain.at(-1) ?? from
  if (last.vkey !== from.vkey) refuse(seq, 'the key that hands over is not the one that spoke for the log')
  if ([...chain, from].some(({ vkey }) => vkey === to.vkey)) refuse(seq, 'it brings back a key that was replaced')
  let signature: Uint8Array
  try {
    signature = fromBase64(body['signature'] as string)
  } catch {
    return refuse(seq, 'its signature can’t be read')
  }
  if (!(await verifyEd25519(from.key.publicKey, signature, rotationStatement(origin, from.vkey, to.vkey))))
    refuse(seq, 'the key that hands over did not sign it')
  if (chain.length === 0) chain.push(last)
  last.replacedAt = seq
  chain.push(to)
}

/**
 * Follows the entries that change keys.
 * @param entries all of them, in the order of the log
 * @param alone the key of a log that never changed it
 * @returns the keys from the first to the one that speaks for the log now
 * @throws Wrong KEY_CHAIN_INVALID
 */
export async function readKeyChain(origin: string, entries: readonly KeyEntry[], alone: VerifierKey, vkey: string): Promise<LogKey[]> {
  const chain: LogKey[] = []
  for (const entry of entries) if (entry.body['type'] === ROTATED) await rotate(origin, chain, entry)
  if (chain.length === 0) chain.push({ vkey, key: alone })
  for (const { seq, body } of entries) {
    if (body['type'] !== REVOKED) continue
    const { vkey: revoked } = readKey(origin, seq, body['key'])
    const size = body['size']
    if (!Number.isSafeInteger(size) || (size as number) < 0) refuse(seq, 'it does not say from which size on the key is revoked')
    const found = chain.find((key) => key.vkey === revoked)
    if (!found || (found.revokedAbove ?? Infinity) <= (size as number)) continue
    found.revokedAbove = size as number
    if (typeof body['reason'] === 'string') found.reason = body['reason']
  }
  return chain
}

/** Whether a key still spoke for the log at a checkpoint of this size. @throws Wrong KEY_REPLACED or KEY_REVOKED */
export function requireSpeaking({ vkey, replacedAt, revokedAbove, reason }: LogKey, size: number, where: string): void {
  if (replacedAt !== undefined && size > replacedAt)
    throw new Wrong('KEY_REPLACED', where, `It is signed with ${vkey}, but entry ${replacedAt}, which it covers, replaced that key.`)
  if (revokedAbove !== undefined && size > revokedAbove) {
    const because = reason === undefined ? '' : ` (${reason})`
    throw new Wrong(
      'KEY_REVOKED',
      where,
      `It is signed with ${vkey}, which the log revoked for all above ${revokedAbove} entries${because}.`,
    )
  }
}
