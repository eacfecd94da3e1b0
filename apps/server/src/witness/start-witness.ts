/** Runs a witness: its key, made on the first run, its state, and the port it listens on. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { makeFolder } from '@ephor/engine/kernel'
import type { Logger } from '@ephor/engine/kernel'
import { formatCosignerKey, makeCosignerKey, ProofError } from '@ephor/proof'
import { readLogs } from './read-logs.ts'
import { serveWitness } from './serve-witness.ts'
import { openWitnessStore } from './witness-store.ts'

export type WitnessOptions = {
  /** Key and state; made (0700) when missing. */
  home: string
  /** Under which it cosigns: a name like `witness.example/w1`, without spaces and plus. It never changes. */
  name: string
  host: string
  port: number
  /** Verifier keys of the logs. */
  keys: readonly string[]
  /** See `readLogs`. */
  logs?: string
}

export type RunningWitness = { url: string; verifierKey: string; origins: string[]; stop(): Promise<void> }

function loadKey(home: string): KeyObject {
  const file = join(home, 'witness.key')
  if (!existsSync(file)) {
    // A new key beside an old state would be another witness that remembers what it never cosigned.
    if (existsSync(join(home, 'witness.db')))
      throw new Fault('STORE_CORRUPT', `${file} is missing, and the state of that key is still there`)
    const { privateKey } = generateKeyPairSync('ed25519')
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' })
  }
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) throw new Fault('KEY_UNSAFE', file, { where: file })
  return createPrivateKey(readFileSync(file))
}

function openHome(home: string): KeyObject {
  try {
    makeFolder(home)
    return loadKey(home)
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('HOME_UNWRITABLE', `${home}: ${(error as Error).message}`, { cause: error })
  }
}

function cosignerOf(name: string, key: KeyObject) {
  const publicKey = new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32))
  try {
    makeCosignerKey(name, publicKey)
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    throw new Fault('SETTINGS_INVALID', error.message, { cause: error })
  }
  return { name, publicKey, sign: (bytes: Uint8Array) => new Uint8Array(sign(null, bytes, key)) }
}

/** @throws Fault SETTINGS_INVALID, KEY_UNSAFE, HOME_UNWRITABLE, PORT_TAKEN, and those of `openWitnessStore`. */
export async function startWitness(options: WitnessOptions, log: Logger): Promise<RunningWitness> {
  const { home, name, host, port } = options
  const logs = readLogs(options.keys, options.logs)
  const cosigner = cosignerOf(name, openHome(home))
  const store = openWitnessStore(home)
  const onConflict = (origin: string, detail: string) => log.error({ origin, detail }, 'a checkpoint was not cosigned')
  const server = serveWitness({ logs, store, cosigner, now: () => Date.now(), onConflict }, log)
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  } catch (error) {
    store.close()
    throw new Fault('PORT_TAKEN', `${host}:${port}: ${(error as Error).message}`, { cause: error })
  }
  const address = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    verifierKey: formatCosignerKey(makeCosignerKey(name, cosigner.publicKey)),
    origins: [...logs.keys()],
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const patience = setTimeout(() => server.closeAllConnections(), 1000)
      await closed
      clearTimeout(patience)
      store.close()
    },
  }
}
