/**
 * Signs with Ed25519 keys of HashiCorp Vault's Transit engine, which never leave it. A rotation is a new version of the key.
 * API: https://developer.hashicorp.com/vault/api-docs/secret/transit
 */
import { readFile } from 'node:fs/promises'
import { Fault } from '@ephor/contract'
import { sameBytes } from '@ephor/proof'
import { z } from 'zod'
import type { SigningKeys } from '../keys/signing-keys.ts'
import { verifyEd25519 } from './ed25519.ts'
import type { Signer } from './signer.ts'

export type VaultTransitOptions = {
  /** `https://vault.example:8200`. */
  url: string
  /** Where the engine is mounted: `transit`, `teams/ledger`. */
  mount: string
  /** The key's name in it. */
  key: string
  namespace?: string | undefined
  /** Read again for each request, since an agent renews it; used when `token` is not set. */
  tokenFile?: string | undefined
  token?: string | undefined
  /** For one request, in ms. */
  timeoutMs: number
}

/** An answer is a key or a signature: some hundred bytes a version. */
const MAX_ANSWER = 256 * 1024
const SIGNATURE = /^vault:v([1-9]\d{0,8}):([A-Za-z0-9+/]{86}==)$/
const PUBLIC_KEY = /^[A-Za-z0-9+/]{43}=$/

const KeyAnswer = z.object({
  data: z.object({
    type: z.literal('ed25519'),
    latest_version: z.number().int().positive(),
    keys: z.record(z.string().regex(/^[1-9]\d{0,8}$/), z.object({ public_key: z.string().regex(PUBLIC_KEY) })),
  }),
})
const SignAnswer = z.object({ data: z.object({ signature: z.string() }) })
const Errors = z.object({ errors: z.array(z.string()) })

const unavailable = (detail: string, cause?: unknown) => new Fault('SIGNER_UNAVAILABLE', `Vault: ${detail}`, { cause })

const WHY: Record<number, string> = {
  400: 'it does not accept the request',
  403: 'the token may not do this',
  404: 'there is no such key',
  429: 'it is too busy',
  503: 'it is sealed, or down for maintenance',
}

async function limited(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk as Uint8Array)
    if ((size += (chunk as Uint8Array).length) > MAX_ANSWER) throw new Error('the answer is too long')
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** What Vault itself says went wrong, shortened; its words never contain the token. */
function reasonIn(text: string): string {
  try {
    const { errors } = Errors.parse(JSON.parse(text))
    return errors.length > 0 ? `: ${errors.join('; ').slice(0, 200)}` : ''
  } catch {
    return ''
  }
}

function client(options: VaultTransitOptions) {
  const base = `${options.url.replace(/\/+$/, '')}/v1/${options.mount.replaceAll(/^\/+|\/+$/g, '')}`
  const name = encodeURIComponent(options.key)

  async function token(): Promise<string> {
    if (options.token !== undefined) return options.token
    if (options.tokenFile === undefined) throw unavailable('no token is set')
    try {
      return (await readFile(options.tokenFile, 'utf8')).trim()
    } catch (error) {
      throw unavailable(`the token can't be read: ${(error as Error).message}`, error)
    }
  }

  async function ask<T>(path: string, answer: z.ZodType<T>, body?: object): Promise<T> {
    const headers = {
      'x-vault-request': 'true',
      'x-vault-token': await token(),
      ...(options.namespace !== undefined && { 'x-vault-namespace': options.namespace }),
      ...(body && { 'content-type': 'application/json' }),
    }
    let status: number
    let text: string
    try {
      const response = await fetch(`${base}/${path}`, {
        method: body ? 'POST' : 'GET',
        headers,
        // A redirect would carry the token elsewhere.
        redirect: 'error',
        signal: AbortSignal.timeout(options.timeoutMs),
        ...(body && { body: JSON.stringify(body) }),
      })
      status = response.status
      text = await limited(response)
    } catch (error) {
      const late = (error as Error).name === 'TimeoutError'
      throw unavailable(late ? `no answer within ${options.timeoutMs} ms` : `it can't be reached: ${(error as Error).message}`, error)
    }
    if (status >= 300) throw unavailable(`${WHY[status] ?? `it answers ${status}`}${reasonIn(text)}`)
    try {
      return answer.parse(text === '' ? {} : JSON.parse(text))
    } catch (error) {
      throw unavailable('its answer is not one of the Transit engine for an Ed25519 key', error)
    }
  }

  return {
    read: async () => (await ask(`keys/${name}`, KeyAnswer)).data,
    rotate: () => ask(`keys/${name}/rotate`, z.unknown(), {}),
    sign: async (version: number, bytes: Uint8Array) => {
      const request = { input: Buffer.from(bytes).toString('base64'), key_version: version }
      return (await ask(`sign/${name}`, SignAnswer, request)).data.signature
    },
  }
}

type Client = ReturnType<typeof client>

function signerOf(vault: Client, version: number, publicKey: Uint8Array): Signer {
  return {
    publicKey,
    async sign(bytes) {
      const [, by, base64 = ''] = SIGNATURE.exec(await vault.sign(version, bytes)) ?? []
      if (by !== String(version)) throw unavailable(`its answer is no signature of version ${version} of the key`)
      const signature = new Uint8Array(Buffer.from(base64, 'base64'))
      // A signature of another key, published once, would make every reader believe in a fork.
      if (!verifyEd25519(publicKey, signature, bytes)) throw unavailable('its signature is not one of the ledger’s key')
      return signature
    },
  }
}

/**
 * @returns the signer of the key's first version, which the ledger began with, and the keys that follow it
 * @throws Fault SIGNER_UNAVAILABLE
 */
export async function vaultTransit(options: VaultTransitOptions): Promise<{ signer: Signer; signingKeys: SigningKeys }> {
  const vault = client(options)
  const versions = async () => {
    const { keys, latest_version: latest } = await vault.read()
    const signers = Object.entries(keys).map(([version, { public_key: key }]) => ({
      version: Number(version),
      signer: signerOf(vault, Number(version), new Uint8Array(Buffer.from(key, 'base64'))),
    }))
    return { latest, signers }
  }
  const first = (await versions()).signers.find(({ version }) => version === 1)
  if (!first) throw unavailable('the first version of the key was trimmed: the name of the log is derived from it')
  return {
    signer: first.signer,
    signingKeys: {
      find: async (publicKey) => (await versions()).signers.find(({ signer }) => sameBytes(signer.publicKey, publicKey))?.signer,
      async make() {
        await vault.rotate()
        const { latest, signers } = await versions()
        const made = signers.find(({ version }) => version === latest)
        if (!made) throw unavailable(`it does not show version ${latest} of the key`)
        return made.signer
      },
    },
  }
}
