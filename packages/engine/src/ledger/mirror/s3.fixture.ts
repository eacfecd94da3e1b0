/**
 * A store on this machine that speaks the part of the S3 protocol that a mirror uses, as its documentation says: it checks
 * signatures (AWS Signature Version 4) and the hash of each body, and heeds conditions on writes, unless told not to.
 */
import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const ACCESS = { id: 'AKIDEXAMPLE', secret: 'a-secret-key-of-tests' }

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')
const hmac = (key: string | Uint8Array, data: string) => createHmac('sha256', key).update(data).digest()

type Stored = { bytes: Buffer; etag: string; type: string; cache: string }
type Answer = { status: number; code?: string }

/** Amazon S3 API reference, "Authenticating Requests: Using the Authorization Header". */
function isSigned({ method = '', url = '', headers }: IncomingMessage, body: Buffer): boolean {
  const text = headers.authorization ?? ''
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([\w-]+)\/s3\/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      text,
    )
  const [, id, day = '', region = '', signed = '', signature] = match ?? []
  const time = String(headers['x-amz-date'])
  if (id !== ACCESS.id || !time.startsWith(day) || headers['x-amz-content-sha256'] !== sha256(body)) return false
  const names = signed.split(';')
  if (!['host', 'x-amz-date', 'x-amz-content-sha256'].every((name) => names.includes(name))) return false
  const [path = '', query = ''] = url.split('?')
  const fields = names.map((name) => `${name}:${String(headers[name]).trim().replaceAll(/ +/g, ' ')}\n`).join('')
  const canonical = [method, path, query.split('&').toSorted().join('&'), fields, signed, sha256(body)].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const key = hmac(hmac(hmac(hmac(`AWS4${ACCESS.secret}`, day), region), 's3'), 'aws4_request')
  return hmac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`).toString('hex') === signature
}

export type Bucket = Awaited<ReturnType<typeof serveBucket>>

/** @param heeds whether conditions on writes are looked at */
export async function serveBucket({ heeds = true } = {}) {
  const objects = new Map<string, Stored>()
  const writes: string[] = []
  /** What to answer instead; undefined for what it should. */
  let instead: ((method: string, key: string) => Answer | undefined) | undefined

  function write(key: string, request: IncomingMessage, bytes: Buffer): Answer {
    const there = objects.get(key)
    const { 'if-none-match': absent, 'if-match': tag } = request.headers
    if (heeds && ((absent === '*' && there) || (tag !== undefined && there && tag !== there.etag)))
      return { status: 412, code: 'PreconditionFailed' }
    if (heeds && tag !== undefined && !there) return { status: 404, code: 'NoSuchKey' }
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
    objects.set(key, { bytes, etag, type: String(request.headers['content-type']), cache: String(request.headers['cache-control']) })
    writes.push(key)
    return { status: 200 }
  }
  function answer(response: ServerResponse, method: string, { status, code }: Answer, stored?: Stored): void {
    const length = method === 'PUT' ? 0 : stored?.bytes.length
    const headers = stored ? { etag: stored.etag, 'content-type': stored.type, 'content-length': length } : {}
    response.writeHead(status, headers)
    if (method === 'HEAD') response.end()
    else
      response.end(
        stored && method === 'GET' ? stored.bytes : code === undefined ? '' : `<Error><Code>${code}</Code><Message>no</Message></Error>`,
      )
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const method = request.method ?? ''
      const key = decodeURIComponent((request.url ?? '').split('?')[0] ?? '').slice(1)
      const body = Buffer.concat(chunks)
      const forced = instead?.(method, key)
      if (forced) return answer(response, method, forced)
      if (!isSigned(request, body)) return answer(response, method, { status: 403, code: 'SignatureDoesNotMatch' })
      const done = method === 'PUT' ? write(key, request, body) : objects.has(key) ? { status: 200 } : { status: 404, code: 'NoSuchKey' }
      return answer(response, method, done, done.status === 200 ? objects.get(key) : undefined)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    writes,
    answerInstead: (how: typeof instead) => void (instead = how),
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
