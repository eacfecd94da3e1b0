/** Signs what was published, by whom and after whose review, and checks it before it decides: DSSE v1 over the digests of the texts. */
import { createHash, createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { dssePreAuth } from '@ephor/proof'
import { z } from 'zod'
import type { PolicyFiles } from './types.ts'

const PAYLOAD_TYPE = 'application/vnd.ephor.policy-bundle+json'

const Statement = z.strictObject({
  version: z.string(),
  /** SHA-256 of each text, in hexadecimal. */
  files: z.record(z.string(), z.string()),
  /** `per_…`, or `folder` when the texts came with the policy folder. */
  author: z.string(),
  /** `per_…` */
  reviewers: z.array(z.string()),
  /** ms since 1970 */
  at: z.number(),
})
const Envelope = z.strictObject({
  payloadType: z.literal(PAYLOAD_TYPE),
  payload: z.base64(),
  signatures: z.array(z.strictObject({ keyid: z.string(), sig: z.base64() })).length(1),
})
export type Statement = z.output<typeof Statement>

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')
const digestsOf = (files: PolicyFiles) => Object.fromEntries(Object.entries(files).map(([name, text]) => [name, sha256(text)]))

const preAuth = (payload: Buffer) => dssePreAuth(PAYLOAD_TYPE, payload)

/** @returns the envelope as JSON text */
export function signBundle(key: KeyObject, files: PolicyFiles, said: Omit<Statement, 'files'>): string {
  const payload = Buffer.from(JSON.stringify({ ...said, files: digestsOf(files) } satisfies Statement))
  const keyid = sha256(createPublicKey(key).export({ type: 'spki', format: 'der' }))
  const sig = sign(null, preAuth(payload), key).toString('base64')
  const envelope: z.output<typeof Envelope> = {
    payloadType: PAYLOAD_TYPE,
    payload: payload.toString('base64'),
    signatures: [{ keyid, sig }],
  }
  return JSON.stringify(envelope)
}

/** @returns what was signed, when the signature is the key's and it is about exactly these texts under this version */
export function verifyBundle(
  key: KeyObject,
  { version, files, envelope }: { version: string; files: PolicyFiles; envelope: string },
): Statement | undefined {
  try {
    const { payload, signatures } = Envelope.parse(JSON.parse(envelope))
    const bytes = Buffer.from(payload, 'base64')
    const publicKey = createPublicKey(key)
    if (!signatures.every(({ sig }) => verify(null, preAuth(bytes), publicKey, Buffer.from(sig, 'base64')))) return undefined
    const statement = Statement.parse(JSON.parse(bytes.toString('utf8')))
    const digests = digestsOf(files)
    const names = Object.keys(digests)
    const same = names.length === Object.keys(statement.files).length && names.every((name) => statement.files[name] === digests[name])
    return statement.version === version && same ? statement : undefined
  } catch {
    // The row can hold anything that whoever wrote it liked.
    return undefined
  }
}
