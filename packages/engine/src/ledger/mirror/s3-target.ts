/** A mirror in a bucket of S3, or of something that speaks its protocol. */
import {
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Fault } from '@ephor/contract'
import { sameBytes } from '@ephor/proof'
import type { MirrorObject, MirrorTarget } from './target.ts'

export type S3Options = {
  bucket: string
  /** Before each path, without slashes at its ends; empty for none. */
  prefix: string
  region?: string | undefined
  /** Of a store that is not Amazon's. */
  endpoint?: string | undefined
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  pathStyle: boolean
}

/** Larger than any object of a log: a bundle has 256 entries of up to 64 KiB. */
const MAX_OBJECT_BYTES = 32 * 1024 * 1024
/** Two writers of one object at once: one of them finds it written the next time. */
const ATTEMPTS = 3
const TIMEOUTS = { connectionTimeout: 5000, requestTimeout: 30_000 }

function headersOf(path: string): { ContentType: string; CacheControl: string } {
  const tile = path.startsWith('tile/')
  const stamp = path.endsWith('.tsr')
  const json = path.endsWith('.json')
  return {
    ContentType: tile
      ? 'application/octet-stream'
      : stamp
        ? 'application/timestamp-reply'
        : json
          ? 'application/json'
          : 'text/plain; charset=utf-8',
    CacheControl: tile || path.startsWith('timestamps/') ? 'public, max-age=31536000, immutable' : 'no-cache',
  }
}

/** What the store said, without what it may have echoed. */
function unavailable(name: string, error: unknown): Fault {
  if (error instanceof Fault) return error
  const status = error instanceof S3ServiceException ? ` ${error.$metadata.httpStatusCode ?? ''}` : ''
  const { name: kind, message } = error as Error
  return new Fault('MIRROR_UNAVAILABLE', `${name}:${status} ${kind}: ${message.slice(0, 200)}`, { cause: error })
}

const statusOf = (error: unknown) => (error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined)

/** Credentials come from where every tool of AWS looks: environment, profile, container, instance. */
export function s3Target({ bucket, prefix, region, endpoint, pathStyle }: S3Options): MirrorTarget & { close(): void } {
  const client = new S3Client({
    forcePathStyle: pathStyle,
    requestHandler: TIMEOUTS,
    // The signature covers a hash of the body; other stores don't know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
  })
  const name = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`
  const at = (path: string) => ({ Bucket: bucket, Key: prefix === '' ? path : `${prefix}/${path}` })
  /** Whether the store heeds conditions on writes; found out by the first object that is written once. */
  let heeds: boolean | undefined

  async function get(path: string): Promise<MirrorObject | undefined> {
    try {
      const { Body, ETag, ContentLength = 0 } = await client.send(new GetObjectCommand(at(path)))
      if (ContentLength > MAX_OBJECT_BYTES) throw new Fault('MIRROR_UNAVAILABLE', `${name}: ${path} is larger than anything of a log`)
      return { bytes: (await Body?.transformToByteArray()) ?? new Uint8Array(), tag: ETag }
    } catch (error) {
      if (error instanceof NoSuchKey || statusOf(error) === 404) return undefined
      throw unavailable(name, error)
    }
  }

  /** @returns false when the condition was not met */
  async function put(path: string, bytes: Uint8Array, condition: { IfNoneMatch?: '*'; IfMatch?: string }): Promise<boolean> {
    try {
      await client.send(new PutObjectCommand({ ...at(path), Body: bytes, ...headersOf(path), ...condition }))
      return true
    } catch (error) {
      const status = statusOf(error)
      // 409: another conditional write to it is under way.
      if (status === 412 || status === 409) return false
      // 404: what was to be replaced is gone.
      if (status === 404 && condition.IfMatch !== undefined) return false
      throw unavailable(name, error)
    }
  }

  /** Writes twice what may exist once: a store that takes the second does not look at conditions. */
  async function probe(path: string, bytes: Uint8Array): Promise<boolean> {
    try {
      if (!(await put(path, bytes, { IfNoneMatch: '*' }))) return true
      return !(await put(path, bytes, { IfNoneMatch: '*' }))
    } catch (error) {
      if (statusOf((error as Error).cause) === 501) return false
      throw error
    }
  }

  return {
    name,
    get,
    close: () => client.destroy(),
    async has(path) {
      try {
        await client.send(new HeadObjectCommand(at(path)))
        return true
      } catch (error) {
        if (error instanceof NotFound || statusOf(error) === 404) return false
        throw unavailable(name, error)
      }
    },
    async putOnce(path, bytes) {
      if (heeds === undefined) {
        // A store that heeds none would overwrite what another log left here.
        const there = await get(path)
        if (there && sameBytes(there.bytes, bytes)) return true
        if (there) return false
        heeds = await probe(path, bytes)
      }
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (heeds && (await put(path, bytes, { IfNoneMatch: '*' }))) return true
        const there = await get(path)
        if (there) return sameBytes(there.bytes, bytes)
        if (!heeds) return put(path, bytes, {})
      }
      throw new Fault('MIRROR_UNAVAILABLE', `${name}: ${path} is neither there nor can it be written`)
    },
    async replace(path, bytes, earlier) {
      if (heeds) return put(path, bytes, earlier?.tag === undefined ? { IfNoneMatch: '*' } : { IfMatch: earlier.tag })
      const now = await get(path)
      if (now && !(earlier && sameBytes(now.bytes, earlier.bytes))) return false
      return put(path, bytes, {})
    },
  }
}
