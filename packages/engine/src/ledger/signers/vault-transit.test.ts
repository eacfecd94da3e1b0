/** Vault's Transit engine, as a local server that really signs, and lies, refuses and hangs when told to. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadKeys, makeLog, systemClock } from '@ephor/engine/kernel'
import { parseVerifierKey, utf8, verifyCheckpoint } from '@ephor/proof'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTestStore } from '../../kernel/test-store.ts'
import { ledgerExtension, ledgerMigrations, openLedger, originOf, vaultTransit } from '../index.ts'
import { decision } from '../ledger.fixture.ts'
import { verifyEd25519 } from './ed25519.ts'

const TOKEN = 'hvs.secret-token'

type Request = { method: string; path: string; headers: Record<string, unknown>; body: Record<string, unknown> }
type Answer = { status: number; body: string } | 'hang'

let server: Server
let url: string
let versions: { privateKey: KeyObject; publicKey: KeyObject }[]
let seen: Request[]
/** What to answer instead of the truth. */
let lie: ((request: Request) => Answer | undefined) | undefined

const raw = (key: KeyObject) => key.export({ format: 'der', type: 'spki' }).subarray(-32)
const answer = (body: unknown, status = 200): Answer => ({ status, body: JSON.stringify(body) })

function honest({ method, path, headers, body }: Request): Answer {
  if (headers['x-vault-token'] !== TOKEN) return answer({ errors: ['permission denied'] }, 403)
  if (headers['x-vault-request'] !== 'true') return answer({ errors: ['missing required X-Vault-Request header'] }, 412)
  if (method === 'GET' && path === '/v1/teams/transit/keys/ephor') {
    const keys = Object.fromEntries(
      versions.map(({ publicKey }, i) => [String(i + 1), { name: 'ed25519', public_key: raw(publicKey).toString('base64') }]),
    )
    return answer({ data: { name: 'ephor', type: 'ed25519', latest_version: versions.length, supports_signing: true, keys } })
  }
  if (method === 'POST' && path === '/v1/teams/transit/keys/ephor/rotate') {
    versions.push(generateKeyPairSync('ed25519'))
    return { status: 204, body: '' }
  }
  if (method === 'POST' && path === '/v1/teams/transit/sign/ephor') {
    const version = Number(body['key_version'])
    const pair = versions[version - 1]
    if (!pair) return answer({ errors: ['requested version for signing is higher than the latest key version'] }, 400)
    const signature = sign(null, Buffer.from(String(body['input']), 'base64'), pair.privateKey).toString('base64')
    return answer({ data: { signature: `vault:v${version}:${signature}`, key_version: version } })
  }
  return answer({ errors: [] }, 404)
}

beforeEach(async () => {
  versions = [generateKeyPairSync('ed25519')]
  seen = []
  lie = undefined
  server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const request = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        headers: incoming.headers,
        body: text === '' ? {} : (JSON.parse(text) as object),
      } as Request
      seen.push(request)
      const now = lie?.(request) ?? honest(request)
      if (now !== 'hang')
        outgoing.writeHead(now.status, { 'content-type': 'application/json', location: 'http://127.0.0.1:1/' }).end(now.body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const options = (more: object = {}) => ({ url: `${url}/`, mount: 'teams/transit', key: 'ephor', token: TOKEN, timeoutMs: 500, ...more })

const BYTES = utf8('to be signed\n')

test('it signs with the version that is asked for, and every signature was checked', async () => {
  const { signer, signingKeys } = await vaultTransit(options({ namespace: 'acme' }))
  expect(Buffer.from(signer.publicKey)).toEqual(raw((versions[0] as { publicKey: KeyObject }).publicKey))
  expect(verifyEd25519(signer.publicKey, await signer.sign(BYTES), BYTES)).toBe(true)
  expect(seen.every(({ headers }) => headers['x-vault-namespace'] === 'acme')).toBe(true)
  const next = await signingKeys.make()
  expect(next.publicKey).not.toEqual(signer.publicKey)
  expect(verifyEd25519(next.publicKey, await next.sign(BYTES), BYTES)).toBe(true)
  // The first version goes on signing: the hand-over is signed with it.
  expect(verifyEd25519(signer.publicKey, await signer.sign(BYTES), BYTES)).toBe(true)
  await expect(signingKeys.find(next.publicKey)).resolves.toMatchObject({ publicKey: next.publicKey })
  await expect(signingKeys.find(new Uint8Array(32))).resolves.toBeUndefined()
})

test('the token comes from a file that is read each time, and is in no message', async () => {
  const tokenFile = join(mkdtempSync(join(tmpdir(), 'ephor-vault-')), 'token')
  writeFileSync(tokenFile, `${TOKEN}\n`)
  const { signer } = await vaultTransit(options({ token: undefined, tokenFile }))
  writeFileSync(tokenFile, 'hvs.expired')
  const error = await signer.sign(BYTES).catch((thrown: unknown) => thrown as Error)
  expect(error).toMatchObject({ code: 'SIGNER_UNAVAILABLE', message: 'Vault: the token may not do this: permission denied' })
  expect(JSON.stringify(error)).not.toContain('hvs.')
  writeFileSync(tokenFile, TOKEN)
  await expect(signer.sign(BYTES)).resolves.toHaveLength(64)
  await expect(vaultTransit(options({ token: undefined }))).rejects.toThrow('no token is set')
  await expect(vaultTransit(options({ token: undefined, tokenFile: '/nowhere' }))).rejects.toThrow("the token can't be read")
})

const other = generateKeyPairSync('ed25519')
const vaultSignature = (version: number, bytes: Uint8Array, key = other.privateKey) =>
  `vault:v${version}:${sign(null, bytes, key).toString('base64')}`

test.each<[string, (signature: string) => string, string]>([
  ['a signature of another key', () => vaultSignature(1, BYTES), 'is not one of the ledger’s key'],
  ['a signature over something else', (good) => good.replace(/.{4}==$/, 'AAAA=='), 'is not one of the ledger’s key'],
  ['a signature of another version', (good) => good.replace('v1', 'v2'), 'no signature of version 1'],
  ['no prefix', (good) => good.slice(9), 'no signature of version 1'],
  ['a prefix more', (good) => `vault:${good}`, 'no signature of version 1'],
  ['a shorter signature', (good) => good.slice(0, -8), 'no signature of version 1'],
  ['text behind it', (good) => `${good}\n`, 'no signature of version 1'],
  ['the URL form of base64', (good) => good.replaceAll('=', ''), 'no signature of version 1'],
  ['nothing', () => '', 'no signature of version 1'],
])('%s is no signature', async (_, change, why) => {
  const { signer } = await vaultTransit(options())
  const good = vaultSignature(1, BYTES, versions[0]?.privateKey)
  lie = ({ path }) => (path.includes('/sign/') ? answer({ data: { signature: change(good) } }) : undefined)
  await expect(signer.sign(BYTES)).rejects.toMatchObject({ code: 'SIGNER_UNAVAILABLE', message: expect.stringContaining(why) as string })
})

test.each<[string, Answer, string]>([
  ['403', answer({ errors: ['permission denied'] }, 403), 'the token may not do this: permission denied'],
  ['404', answer({ errors: [] }, 404), 'there is no such key'],
  ['503', answer({ errors: ['Vault is sealed'] }, 503), 'it is sealed, or down for maintenance: Vault is sealed'],
  ['500 without JSON', { status: 500, body: '<html>' }, 'it answers 500'],
  ['a redirect', { status: 307, body: '' }, "can't be reached"],
  ['no JSON', { status: 200, body: 'hello' }, 'not one of the Transit engine'],
  [
    'a key of another kind',
    answer({ data: { type: 'aes256-gcm96', latest_version: 1, keys: { 1: 1700000000 } } }),
    'not one of the Transit engine',
  ],
  [
    'a public key that is none',
    answer({ data: { type: 'ed25519', latest_version: 1, keys: { 1: { public_key: 'AAAA' } } } }),
    'not one of the Transit engine',
  ],
  [
    'a trimmed first version',
    answer({ data: { type: 'ed25519', latest_version: 2, keys: { 2: { public_key: raw(other.publicKey).toString('base64') } } } }),
    'was trimmed',
  ],
  ['an endless answer', { status: 200, body: 'x'.repeat(300_000) }, 'too long'],
  ['silence', 'hang', 'no answer within 500 ms'],
])('an answer of %s is a clear fault', async (_, what, why) => {
  lie = () => what
  await expect(vaultTransit(options())).rejects.toMatchObject({
    code: 'SIGNER_UNAVAILABLE',
    message: expect.stringContaining(why) as string,
  })
})

test('a server that is not there is a clear fault', async () => {
  await expect(vaultTransit(options({ url: 'http://127.0.0.1:1' }))).rejects.toThrow("can't be reached")
})

test('a ledger is signed by it, goes on appending while it hangs, and hands over to its next version', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-vault-'))
  const { signer, signingKeys } = await vaultTransit(options())
  const origin = originOf(signer)
  expect(origin).toBe(
    `ephor.local/${createHash('sha256')
      .update(versions[0]?.publicKey.export({ format: 'der', type: 'spki' }) ?? '')
      .digest('hex')
      .slice(0, 16)}`,
  )
  const outside = join(folder, 'checkpoint')
  const store = await openTestStore({ folder, migrations: [ledgerMigrations], extension: ledgerExtension({ outside }) })
  const keys = loadKeys(join(folder, 'keys'))
  const ledger = await openLedger({ store, keys, signer, signingKeys, origin, clock: systemClock, log: makeLog('silent'), outside })
  lie = () => 'hang'
  await expect(ledger.append({ changes: [], entries: [decision('a')] })).resolves.toHaveLength(1)
  await expect(ledger.head()).rejects.toThrow('no answer within 500 ms')
  lie = undefined
  const { vkey } = await ledger.keys.rotate('per_1')
  await expect(verifyCheckpoint((await ledger.head()).checkpoint, parseVerifierKey(vkey))).resolves.toMatchObject({ origin, size: 2 })
  expect(versions).toHaveLength(2)
  await ledger.close()
  await store.close()
})
