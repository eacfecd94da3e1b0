/** Which witnesses an auditor trusts, and how many of them a checkpoint needs. */
import { sameBytes, toHex } from './bytes.ts'
import { countCosignatures, parseCosignerKey } from './cosignature.ts'
import type { CosignerKey, UncheckedSignature } from './cosignature.ts'
import type { LogKey } from './key-chain.ts'
import { Wrong } from './verdict.ts'

export type WitnessOptions = {
  /** Keys of witnesses (c2sp.org/tlog-cosignature, type 0x04), as text. */
  witnesses?: readonly string[]
  /** How many of them must have cosigned the checkpoint; all of them when absent. */
  require?: number
}

export type Witnesses = { keys: CosignerKey[]; required: number }

/** `time`: seconds since 1970, by the witness's clock. */
export type Cosigned = { name: string; time: number }

export type Witnessed = {
  cosigned: Cosigned[]
  required: number
  /** Signature lines that were kept and not checked: of strangers, and of kinds that this verifier does not know. */
  notChecked: { name: string; keyId: string; kind: UncheckedSignature['kind'] }[]
}

/** @throws Wrong KEY_INVALID for a key that can't be read, one that stands there twice, and more required than there are. */
export function readWitnesses({ witnesses = [], require }: WitnessOptions): Witnesses {
  const refuse = (detail: string): never => {
    throw new Wrong('KEY_INVALID', 'witness keys', detail)
  }
  const keys: CosignerKey[] = []
  for (const text of witnesses) {
    try {
      keys.push(parseCosignerKey(text))
    } catch (error) {
      refuse(`The witness key ${JSON.stringify(text)} can't be read: ${(error as Error).message}.`)
    }
  }
  // One party under two names would make two of k.
  if (keys.some(({ publicKey }, i) => keys.slice(0, i).some((other) => sameBytes(other.publicKey, publicKey))))
    refuse('Two of the witness keys are the same key.')
  const required = require ?? keys.length
  if (!Number.isSafeInteger(required) || required < 0 || required > keys.length)
    refuse(`${required} cosignatures can't be required of ${keys.length} witnesses.`)
  return { keys, required }
}

/** @throws Wrong COSIGNATURE_INVALID, COSIGNATURES_MISSING */
export async function requireWitnesses(
  note: string | Uint8Array,
  { keys, required }: Witnesses,
  log: readonly LogKey[],
): Promise<Witnessed> {
  const { cosigned, invalid, notChecked } = await countCosignatures(note, keys)
  if (invalid.length > 0)
    throw new Wrong(
      'COSIGNATURE_INVALID',
      'checkpoint',
      `${invalid.join(', ')} did not make the cosignature that the checkpoint carries in this name.`,
    )
  if (cosigned.length < required) {
    const missing = keys.filter((key) => !cosigned.some((one) => one.key === key)).map(({ name }) => name)
    throw new Wrong(
      'COSIGNATURES_MISSING',
      'checkpoint',
      `${cosigned.length} of the ${required} required witnesses cosigned the checkpoint; ${missing.join(', ')} did not.`,
    )
  }
  const isLogs = (line: UncheckedSignature) => log.some(({ key }) => key.name === line.name && sameBytes(key.keyId, line.keyId))
  return {
    cosigned: cosigned.map(({ key, time }) => ({ name: key.name, time })),
    required,
    notChecked: notChecked.filter((line) => !isLogs(line)).map(({ name, keyId, kind }) => ({ name, keyId: toHex(keyId), kind })),
  }
}
