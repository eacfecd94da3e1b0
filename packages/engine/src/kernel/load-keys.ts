/** The keys of an installation: made on the first run, one file each, readable by their owner alone. */
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { makeFolder } from './make-folder.ts'

export type Keys = {
  /** Ed25519: signs checkpoints. */
  ledger: KeyObject
  /** Ed25519: signs agents' tokens and warrants. */
  token: KeyObject
  /** Ed25519: proves that the command line runs as the owner of the data folder. */
  operator: KeyObject
  /** Ed25519: signs policy versions. */
  policy: KeyObject
  /** 32 bytes: wraps the data keys of payloads and secrets. */
  kek: Uint8Array
}

function readPrivate(file: string): Buffer {
  // Windows has no mode bits; there the folder's access list is what protects the file.
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) throw new Fault('KEY_UNSAFE', file, { where: file })
  return readFileSync(file)
}

function ed25519(folder: string, name: string): KeyObject {
  const file = join(folder, `${name}.key`)
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ed25519')
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' })
  }
  return createPrivateKey(readPrivate(file))
}

/**
 * @param folder made (0700) when missing
 * @throws Fault KEY_UNSAFE when a key file can be read by others; HOME_UNWRITABLE when they can't be made.
 */
export function loadKeys(folder: string): Keys {
  try {
    makeFolder(folder)
    if (process.platform !== 'win32' && (statSync(folder).mode & 0o077) !== 0) chmodSync(folder, 0o700)
    const kekFile = join(folder, 'payload.key')
    if (!existsSync(kekFile)) writeFileSync(kekFile, randomBytes(32), { mode: 0o600, flag: 'wx' })
    return {
      ledger: ed25519(folder, 'ledger'),
      token: ed25519(folder, 'token'),
      operator: ed25519(folder, 'operator'),
      policy: ed25519(folder, 'policy'),
      kek: readPrivate(kekFile),
    }
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('HOME_UNWRITABLE', `${folder}: ${(error as Error).message}`, { cause: error })
  }
}
