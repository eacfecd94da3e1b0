/** `ephor ledger export s3://…`: an export that is made in a scratch folder, and then brought to a bucket as a mirror is. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { claimMirror, exportSource, mirrorLog, s3Target } from '@ephor/engine/ledger'
import { settingsOf } from '../connection.ts'
import type { CommonOptions } from '../connection.ts'
import type { Io } from '../output.ts'

/**
 * Region, endpoint and style are those of the setting `ledger.mirror`; credentials come from where every tool of AWS looks.
 * @param copy writes the whole ledger into a folder
 * @throws Fault REQUEST_INVALID, MIRROR_DIFFERS, MIRROR_UNAVAILABLE, CONFLICT
 */
export async function exportToBucket(
  io: Io,
  options: CommonOptions,
  address: string,
  copy: (folder: string) => Promise<unknown>,
): Promise<{ size: number; written: number }> {
  const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w.-]+(?:\/[\w.-]+)*))?\/?$/.exec(address) ?? []
  if (bucket === undefined) throw new Fault('REQUEST_INVALID', 'a bucket is named s3://bucket or s3://bucket/folder', { where: 'folder' })
  const { region, endpoint, pathStyle } = settingsOf(io, options).ledger.mirror
  const folder = mkdtempSync(join(tmpdir(), 'ephor-export-'))
  const target = s3Target({ bucket, prefix, region, endpoint, pathStyle })
  try {
    await copy(join(folder, 'ledger'))
    const source = await exportSource(join(folder, 'ledger'))
    await claimMirror(source, target, Date.now())
    return await mirrorLog(source, target)
  } finally {
    target.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
