/** Verifies a whole exported ledger, offline: signatures and keys, every entry, every tile, every body, and an earlier checkpoint. */
import { fromUtf8, toHex } from './bytes.ts'
import type { Erasure } from './check-body.ts'
import { readCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { periodOf, readKeyChain, requireSpeaking } from './key-chain.ts'
import type { KeyPeriod, LogKey } from './key-chain.ts'
import { parseNote } from './note.ts'
import type { VerifierKey } from './note.ts'
import { ProofError } from './proof-error.ts'
import { readGivenKey, requireSigned, signerOf, untrusted } from './trusted-key.ts'
import { verdictOf, Wrong } from './verdict.ts'
import type { Refusal } from './verdict.ts'
import { Walk } from './walk-log.ts'
import type { LogSource } from './walk-log.ts'
import { readWitnesses, requireWitnesses } from './witnesses.ts'
import type { Witnessed, WitnessOptions } from './witnesses.ts'

export type VerifyOptions = WitnessOptions & {
  /** The C2SP verifier key of the log: the newest, or an older one, from which the log itself has to lead to the newest. */
  vkey: string
  /** A signed checkpoint of this log that the auditor kept from before. */
  earlier?: string | Uint8Array
  /** Hears how many entries were read of how many, about every 256. */
  progress?: (done: number, size: number) => void
}

export type Verdict =
  | ({
      ok: true
      origin: string
      size: number
      /** Hexadecimal. */
      root: string
      earlierSize?: number
      types: Record<string, number>
      /** The keys that spoke for the log, the oldest first. */
      keys: KeyPeriod[]
      /** The first 1,000 entries that say that something was erased. */
      erasures: Erasure[]
    } & Witnessed)
  | Refusal

/** The checkpoint as it claims to be. Only a wrong signature in the given key's name is found here: the log has to be read to know its other keys. */
async function readClaimed(note: Uint8Array, key: VerifierKey): Promise<Checkpoint> {
  try {
    const named = parseNote(note).signatures.some((line) => line.name === key.name && toHex(line.keyId) === toHex(key.keyId))
    if (named) return await verifyCheckpoint(note, key)
    const claimed = readCheckpoint(note)
    if (claimed.origin !== key.name)
      throw new ProofError('PROOF_INVALID', `it is of ${claimed.origin}, and the key that you gave is one of ${key.name}`)
    return claimed
  } catch (error) {
    return untrusted(error)
  }
}

function readEarlier(earlier: string | Uint8Array): Checkpoint {
  try {
    return readCheckpoint(earlier)
  } catch (error) {
    throw new Wrong('EARLIER_INVALID', 'earlier checkpoint', `The earlier checkpoint can't be read: ${(error as Error).message}.`)
  }
}

async function requireContinued(earlier: string | Uint8Array, keys: readonly LogKey[], now: Checkpoint, forked: boolean): Promise<void> {
  const kept = readCheckpoint(earlier)
  const where = 'earlier checkpoint'
  try {
    requireSpeaking(await signerOf(earlier, keys), kept.size, where)
  } catch (error) {
    if (error instanceof Wrong) throw error
    throw new Wrong('REPLACED', where, `This is not the log that the earlier checkpoint describes: ${(error as Error).message}.`)
  }
  if (now.size < kept.size)
    throw new Wrong(
      'ROLLED_BACK',
      'checkpoint',
      `The log ends at ${now.size} entries, but it had ${kept.size} when the earlier checkpoint was signed: its tail was cut off or an older copy was put back.`,
    )
  if (forked)
    throw new Wrong(
      'FORKED',
      `entries 0 to ${kept.size - 1}`,
      'The log signed two histories: its first entries are not those of the earlier checkpoint.',
    )
}

async function verify(source: LogSource, options: VerifyOptions): Promise<Verdict> {
  const given = readGivenKey(options.vkey)
  const witnesses = readWitnesses(options)
  const note = await source.read('checkpoint')
  if (!note) throw new Wrong('CHECKPOINT_MISSING', 'checkpoint', 'There is no checkpoint: nothing says what this log should contain.')
  const claimed = await readClaimed(note, given)
  const { origin, size, root } = claimed
  const kept = options.earlier === undefined ? undefined : readEarlier(options.earlier)
  const walk = new Walk(source, claimed, kept)
  await walk.walk((done) => options.progress?.(done, size))
  const { keyEntries, types, erasures } = walk.bodies
  const keys = await readKeyChain(given.name, keyEntries, given, options.vkey.trim())
  await requireSigned(note, keys, given, size)
  if (options.earlier !== undefined) await requireContinued(options.earlier, keys, claimed, walk.forked)
  const witnessed = await requireWitnesses(note, witnesses, keys)
  walk.requireBodies()
  return {
    ok: true,
    origin,
    size,
    root: toHex(root),
    ...(kept && { earlierSize: kept.size }),
    types,
    keys: keys.map(periodOf),
    ...witnessed,
    erasures,
  }
}

/** @returns what was verified, or the first wrong place; it throws only what `source.read` throws. */
export function verifyLog(source: LogSource, options: VerifyOptions): Promise<Verdict> {
  return verdictOf(() => verify(source, options))
}

/** The verifier key that an export carries. It proves integrity only: whoever replaced the log could replace it too. */
export async function readFolderKey(source: LogSource): Promise<string | undefined> {
  const bytes = await source.read('ledger.vkey')
  return bytes && fromUtf8(bytes).trim()
}
