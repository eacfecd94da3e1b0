/** A time-stamping authority on this machine, made with openssl, that can also be told to misbehave. */
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0
if (!hasOpenssl) process.stderr.write('openssl is missing: the tests against a time-stamping authority are skipped\n')

export function openssl(folder: string, ...args: string[]): string {
  return execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

const CONFIG = `
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[tsa]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = critical, serverAuth
[both]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = critical, timeStamping, serverAuth
[stamp]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
`

/** A folder with a certificate authority of its own (`ca.pem`). */
export function makeCa(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-tsa-'))
  writeFileSync(join(folder, 'tsa.cnf'), CONFIG)
  writeFileSync(join(folder, 'serial'), '01\n')
  openssl(folder, 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'ca.key')
  openssl(
    folder,
    'req',
    '-new',
    '-x509',
    '-config',
    'tsa.cnf',
    '-extensions',
    'ca',
    '-key',
    'ca.key',
    '-subj',
    '/CN=Test CA',
    '-days',
    '30',
    '-out',
    'ca.pem',
  )
  return folder
}

const NEW_EC_KEY = ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out']
const NEW_RSA_KEY = ['genrsa', '-out']

type Issued = { extensions?: 'tsa' | 'server' | 'both'; days?: number; isRsa?: boolean; serial?: number; key?: string }

/** A certificate `<name>.pem` of that authority. `key`: of an earlier one, to be used again. */
export function issue(folder: string, name: string, { extensions = 'tsa', days = 10, isRsa = false, serial, key }: Issued = {}): void {
  if (key === undefined) openssl(folder, ...(isRsa ? NEW_RSA_KEY : NEW_EC_KEY), `${name}.key`)
  openssl(folder, 'req', '-new', '-config', 'tsa.cnf', '-key', `${key ?? name}.key`, '-subj', `/CN=${key ?? name}`, '-out', `${name}.csr`)
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', String(serial ?? Date.now())]
  const lasting = ['-days', String(days), '-extfile', 'tsa.cnf', '-extensions', extensions]
  openssl(folder, 'x509', '-req', '-in', `${name}.csr`, ...signing, ...lasting, '-out', `${name}.pem`)
}

/** What `signed` says, signed anew by whoever `by` says, as openssl's own authority would not. */
export function signAnew(folder: string, signed: Uint8Array, key: string, ...by: string[]): Buffer {
  writeFileSync(join(folder, 'old.tsr'), signed)
  openssl(folder, 'ts', '-reply', '-in', 'old.tsr', '-token_out', '-out', 'old.der')
  openssl(folder, 'cms', '-verify', '-noverify', '-inform', 'DER', '-in', 'old.der', '-out', 'info.der')
  const content = ['-binary', '-nodetach', '-econtent_type', '1.2.840.113549.1.9.16.1.4', '-in', 'info.der']
  openssl(folder, 'cms', '-sign', ...content, '-inkey', `${key}.key`, ...by, '-outform', 'DER', '-out', 'new.der')
  openssl(folder, 'ts', '-reply', '-in', 'new.der', '-token_in', '-out', 'new.tsr')
  return readFileSync(join(folder, 'new.tsr'))
}

/** The answer of the authority that has the certificate `name`. */
export function reply(folder: string, query: Uint8Array, name: string): Buffer {
  writeFileSync(join(folder, 'query.tsq'), query)
  const signer = ['-signer', `${name}.pem`, '-inkey', `${name}.key`]
  openssl(folder, 'ts', '-reply', '-config', 'tsa.cnf', '-section', 'stamp', '-queryfile', 'query.tsq', ...signer, '-out', 'reply.tsr')
  return readFileSync(join(folder, 'reply.tsr'))
}

/** @param answer what to do with a query; it may answer anything */
export async function serveTsa(answer: (query: Buffer, response: ServerResponse) => Buffer | undefined) {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = answer(Buffer.concat(chunks), response)
      if (body) response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).end(body)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/tsa`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
