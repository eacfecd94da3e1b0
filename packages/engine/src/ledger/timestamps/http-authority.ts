/** An RFC 3161 authority over HTTP: asks with a nonce of its own, and believes what verifies. */
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import type { Clock } from '@ephor/engine/kernel'
import { Integer, Null, OctetString } from 'asn1js'
import { AlgorithmIdentifier, MessageImprint, TimeStampReq } from 'pkijs'
import { Agent, request } from 'undici'
import type { Timestamp, TimestampAuthority } from './authority.ts'
import { verifyTimestamp } from './verify-timestamp.ts'

const SHA256 = '2.16.840.1.101.3.4.2.1'
/** A timestamp with a long chain of certificates has some 10 KiB. */
const MAX_ANSWER_BYTES = 128 * 1024
/** How far the authority's clock and ours may be apart. */
const MAX_SKEW_MS = 10 * 60_000

export type HttpAuthorityOptions = {
  url: string
  /** PEM file of the certificates that are trusted to issue those of authorities. */
  ca: string
  clock: Clock
  timeoutMs?: number
}

const refused = (why: string, cause?: unknown) => new Fault('TIMESTAMP_REFUSED', why, { cause })

/** @throws Fault SETTINGS_INVALID */
export function readAnchors(file: string): X509Certificate[] {
  try {
    const pems = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    if (pems.length === 0) throw new Error('it holds no certificate')
    return pems.map((pem) => new X509Certificate(pem))
  } catch (error) {
    throw new Fault(
      'SETTINGS_INVALID',
      `the certificates of time-stamping authorities in ${file} can't be read: ${(error as Error).message}`,
    )
  }
}

/** A positive integer without leading zeros, so that it comes back in the bytes that it went out in. */
function freshNonce(): Uint8Array {
  const nonce = randomBytes(12)
  nonce[0] = ((nonce[0] ?? 0) & 0x3f) | 0x40
  return nonce
}

function makeRequest(data: Uint8Array, nonce: Uint8Array): Uint8Array {
  const imprint = new Uint8Array(createHash('sha256').update(data).digest())
  const ask = new TimeStampReq({
    version: 1,
    messageImprint: new MessageImprint({
      hashAlgorithm: new AlgorithmIdentifier({ algorithmId: SHA256, algorithmParams: new Null() }),
      hashedMessage: new OctetString({ valueHex: imprint.buffer }),
    }),
    nonce: new Integer({ valueHex: new Uint8Array(nonce).buffer }),
    certReq: true,
  })
  return new Uint8Array(ask.toSchema().toBER())
}

async function readBounded(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) throw refused('the authority answered more than a timestamp can be')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** RFC 3161 section 3.4. */
async function ask(url: string, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
  const agent = new Agent({ connect: { timeout: timeoutMs }, maxHeaderSize: 16 * 1024 })
  try {
    const response = await request(url, {
      method: 'POST',
      dispatcher: agent,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' },
      body,
    })
    const type = String(response.headers['content-type']).split(';')[0]
    if (response.statusCode !== 200) throw refused(`the authority answered ${response.statusCode}`)
    if (type !== 'application/timestamp-reply') throw refused('the authority answered something other than a timestamp')
    return await readBounded(response.body as AsyncIterable<Uint8Array>)
  } catch (error) {
    if (error instanceof Fault) throw error
    throw refused(`the authority can't be asked: ${(error as Error).message}`, error)
  } finally {
    // What is left of an answer that was too long is not waited for.
    await agent.destroy()
  }
}

/** @throws Fault SETTINGS_INVALID when the certificates can't be read */
export function httpAuthority({ url, ca, clock, timeoutMs = 15_000 }: HttpAuthorityOptions): TimestampAuthority {
  const anchors = readAnchors(ca)
  return {
    name: new URL(url).origin,
    async stamp(data): Promise<Timestamp> {
      const nonce = freshNonce()
      const token = await ask(url, makeRequest(data, nonce), timeoutMs)
      const at = await verifyTimestamp(token, { data, nonce, anchors }).catch((error: unknown) => {
        throw refused(`the timestamp does not verify: ${(error as Error).message}`, error)
      })
      const apart = at - clock.now()
      if (Math.abs(apart) > MAX_SKEW_MS)
        throw refused(`the authority’s clock and this one are ${Math.round(Math.abs(apart) / 1000)} s apart`)
      return { token, at }
    },
  }
}
