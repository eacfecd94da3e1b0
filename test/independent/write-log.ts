/** Writes what the independent check reads: a real ledger's export with a cosignature, and proofs that our code makes. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileSigner, ledgerExtension, ledgerMigrations, openLedger } from '@ephor/engine/ledger'
import type { Ledger } from '@ephor/engine/ledger'
import { loadKeys, makeLog, openSqlite, systemClock } from '@ephor/engine/kernel'
import {
  appendSignature,
  formatCosignerKey,
  formatVerifierKey,
  makeConsistency,
  makeCosignerKey,
  makeVerifierKey,
  signCosignature,
  tilePath,
  tileReader,
  toBase64,
} from '@ephor/proof'

const ORIGIN = 'ledger.test/ephor'
const PROOFS = 200

export type Written = { log: string; proofs: string; vkey: string; cosigner: string; otherKey: string; otherCosigner: string }

function newKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  return { publicKey: raw, sign: (bytes: Uint8Array) => sign(null, bytes, privateKey) }
}

/** Numbers that are spread over a range and the same in every run. */
function spread(count: number, from: number, to: number): number[] {
  return Array.from({ length: count }, (_, i) => from + ((i * 7919) % (to - from)))
}

async function fill(ledger: Ledger, entries: number): Promise<void> {
  const decision = (i: number) => ({
    type: 'decision',
    id: `dec_${i}`,
    body: { effect: 'permit', reasons: [`reason ${i} – ünïcode`] },
    payloads: [{ name: 'input', subject: 'agt_1', value: { text: 'x'.repeat(i) } }],
  })
  await Promise.all(Array.from({ length: entries }, (_, i) => ledger.append({ changes: [], entries: [decision(i)] })))
}

async function writeProofs(ledger: Ledger, log: string, folder: string, entries: number): Promise<void> {
  mkdirSync(folder)
  for (const [i, seq] of spread(PROOFS, 0, entries).entries()) writeFileSync(join(folder, `${i + 1}.tlog-proof`), await ledger.proof(seq))
  const read = tileReader(entries, (place) => Promise.resolve(readFileSync(join(log, tilePath(place)))))
  const lines: string[] = []
  for (const earlier of spread(PROOFS, 1, entries)) {
    const hashes = await makeConsistency(earlier, entries, read)
    lines.push([earlier, entries, ...hashes.map(toBase64)].join(' '))
  }
  writeFileSync(join(folder, 'consistency.txt'), `${lines.join('\n')}\n`)
}

/** @param folder does not exist yet */
export async function writeLog(folder: string, entries: number): Promise<Written> {
  const [log, proofs, outside] = [join(folder, 'log'), join(folder, 'proofs'), join(folder, 'outside')]
  mkdirSync(folder, { recursive: true })
  const keys = loadKeys(join(folder, 'keys'))
  const store = await openSqlite({
    file: join(folder, 'store.db'),
    migrations: [ledgerMigrations],
    extension: ledgerExtension({ outside }),
  })
  const signer = fileSigner(keys.ledger)
  const ledger = await openLedger({ store, keys, signer, origin: ORIGIN, clock: systemClock, log: makeLog('silent'), outside })
  try {
    await fill(ledger, entries)
    await ledger.exportTo(log)
    await writeProofs(ledger, log, proofs, entries)
  } finally {
    await ledger.close()
    await store.close()
  }
  const [witness, other, otherWitness] = [newKey(), newKey(), newKey()]
  const checkpoint = join(log, 'checkpoint')
  const note = readFileSync(checkpoint, 'utf8')
  const time = Math.floor(Date.now() / 1000)
  writeFileSync(checkpoint, appendSignature(note, await signCosignature(note, { name: 'witness.test', ...witness, time })))
  return {
    log,
    proofs,
    vkey: readFileSync(join(log, 'ledger.vkey'), 'utf8').trim(),
    cosigner: formatCosignerKey(makeCosignerKey('witness.test', witness.publicKey)),
    otherKey: formatVerifierKey(makeVerifierKey(ORIGIN, other.publicKey)),
    otherCosigner: formatCosignerKey(makeCosignerKey('witness.test', otherWitness.publicKey)),
  }
}
