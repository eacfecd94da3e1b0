/** What a backup consists of: a list of its files with their digests, signed by the installation. */
import { createHash, createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { closeSync, createReadStream, existsSync, fsyncSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { Fault } from '@ephor/contract'
import { z } from 'zod'

const FORMAT = 'ephor-backup@v1'
const MANIFEST = 'manifest.json'
const SIGNATURE = 'manifest.sig'

const Manifest = z.strictObject({
  format: z.literal(FORMAT),
  version: z.string(),
  at: z.iso.datetime(),
  tenant: z.string(),
  origin: z.string(),
  size: z.number().int().nonnegative(),
  keys: z.boolean(),
  files: z.array(z.strictObject({ path: z.string(), bytes: z.number().int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
})
export type Manifest = z.output<typeof Manifest>

/** Of all files below a folder, with `/` between. @throws Fault BACKUP_INVALID for what is neither file nor folder */
export function filesBelow(folder: string, prefix = ''): string[] {
  return readdirSync(join(folder, ...prefix.split('/')), { withFileTypes: true })
    .flatMap((entry) => {
      const path = posix.join(prefix, entry.name)
      if (entry.isDirectory()) return filesBelow(folder, path)
      if (!entry.isFile()) throw new Fault('BACKUP_INVALID', `${path} is neither a file nor a folder`, { where: path })
      return [path]
    })
    .toSorted()
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** What is signed: no checkpoint and no token has this first line. */
function signed(text: string): Buffer {
  return Buffer.from(`ephor-backup/v1\n${createHash('sha256').update(text).digest('hex')}\n`)
}

export function syncFile(file: string): void {
  const opened = openSync(file, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}

/** Writes manifest and signature over the files that are there, all durable. */
export async function writeManifest(folder: string, of: Omit<Manifest, 'format' | 'files'>, key: KeyObject): Promise<Manifest> {
  const files = []
  for (const path of filesBelow(folder)) {
    const file = join(folder, ...path.split('/'))
    files.push({ path, bytes: statSync(file).size, sha256: await digestOf(file) })
    syncFile(file)
  }
  const manifest: Manifest = { format: FORMAT, ...of, files }
  const text = `${JSON.stringify(manifest, undefined, 2)}\n`
  writeFileSync(join(folder, MANIFEST), text, { mode: 0o600 })
  writeFileSync(join(folder, SIGNATURE), `${sign(null, signed(text), key).toString('base64')}\n`, { mode: 0o600 })
  for (const name of [MANIFEST, SIGNATURE]) syncFile(join(folder, name))
  return manifest
}

/**
 * @param key of the installation that made it
 * @throws Fault BACKUP_INVALID unless every byte is what was signed, and nothing else is there
 */
export async function readManifest(folder: string, key: KeyObject): Promise<Manifest> {
  const invalid = (detail: string) => new Fault('BACKUP_INVALID', `${folder}: ${detail}`, { where: folder })
  if (!existsSync(join(folder, MANIFEST)) || !existsSync(join(folder, SIGNATURE)))
    throw invalid('it has no manifest, or no signature of it')
  const text = readFileSync(join(folder, MANIFEST), 'utf8')
  const signature = Buffer.from(readFileSync(join(folder, SIGNATURE), 'utf8').trim(), 'base64')
  if (!verify(null, signed(text), createPublicKey(key), signature))
    throw invalid('its manifest was changed, or another installation made it')
  const manifest = Manifest.parse(JSON.parse(text))
  const there = filesBelow(folder).filter((path) => path !== MANIFEST && path !== SIGNATURE)
  const known = new Map(manifest.files.map((file) => [file.path, file]))
  for (const path of there) if (!known.has(path)) throw invalid(`${path} does not belong to it`)
  for (const { path, bytes, sha256 } of manifest.files) {
    const file = join(folder, ...path.split('/'))
    if (!there.includes(path)) throw invalid(`${path} is missing`)
    if (statSync(file).size !== bytes || (await digestOf(file)) !== sha256) throw invalid(`${path} was changed`)
  }
  return manifest
}
