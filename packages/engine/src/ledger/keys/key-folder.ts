/** The ledger's keys as files of the data folder: `ledger.key` is the first, and rotations add `ledger.<key id>.key` beside it. */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { sameBytes, sha256, toHex } from '@ephor/proof'
import { fileSigner } from '../signers/file-signer.ts'
import type { Signer } from '../signers/signer.ts'
import { writeDurably } from '../write-durably.ts'
import type { SigningKeys } from './signing-keys.ts'

/** `ledger` for the tenant `default`, `ledger-<tenant>` for others: a tenant's name has no dot, which rotations use. */
const stem = (tenant: string) => (tenant === 'default' ? 'ledger' : `ledger-${tenant}`)

function read(file: string): KeyObject {
  // Windows has no mode bits; there the folder's access list is what protects the file.
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) throw new Fault('KEY_UNSAFE', file, { where: file })
  return createPrivateKey(readFileSync(file))
}

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

/**
 * The key that a tenant's ledger began with, made on the first run. It stays when the key is rotated: the log's name is
 * derived from it.
 * @param folder exists, and is its owner's alone
 * @throws Fault KEY_UNSAFE when others can read it
 */
export function firstKey(folder: string, tenant: string): KeyObject {
  const file = join(folder, `${stem(tenant)}.key`)
  if (!existsSync(file)) {
    try {
      writeFileSync(file, pem(generateKeyPairSync('ed25519').privateKey), { mode: 0o600, flag: 'wx' })
    } catch (error) {
      // Another replica of the same folder was quicker.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  return read(file)
}

/** What SubjectPublicKeyInfo (RFC 8410) puts before the 32 bytes of an Ed25519 key. */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')

/** The log's name: its first key's, so that two ledgers never share one, and no rotation changes it. */
export function originOf({ publicKey }: Pick<Signer, 'publicKey'>): string {
  const spki = Buffer.concat([SPKI, publicKey])
  return `ephor.local/${toHex(sha256(spki)).slice(0, 16)}`
}

/** The files of rotated keys. Several replicas may share the folder. */
export function folderKeys(folder: string, tenant: string): SigningKeys {
  const prefix = `${stem(tenant)}.`
  function find(publicKey: Uint8Array): Signer | undefined {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(prefix) || !name.endsWith('.key')) continue
      const signer = fileSigner(read(join(folder, name)))
      if (sameBytes(signer.publicKey, publicKey)) return signer
    }
    return undefined
  }
  return {
    find: (publicKey) => Promise.resolve(find(publicKey)),
    make() {
      const { privateKey } = generateKeyPairSync('ed25519')
      const signer = fileSigner(privateKey)
      // Named by its public half: two rotations at once never write one file.
      writeDurably(join(folder, `${prefix}${toHex(sha256(signer.publicKey)).slice(0, 16)}.key`), pem(privateKey))
      return Promise.resolve(signer)
    },
  }
}
