/** Reading and writing other programs' configuration files without ever leaving half of one. */
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, fchmodSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Fault } from '@ephor/contract'

export const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** @throws Fault NOT_FOUND */
export function readWhole(file: string): { bytes: Buffer; digest: string } {
  try {
    const bytes = readFileSync(file)
    return { bytes, digest: digestOf(bytes) }
  } catch (error) {
    throw new Fault('NOT_FOUND', `${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`, { where: file, cause: error })
  }
}

/** Writes a new file, durable when it returns. */
export function writeNew(file: string, bytes: Uint8Array, mode: number): void {
  const fd = openSync(file, 'wx', mode)
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
    // The mode of open is subject to the umask.
    if (process.platform !== 'win32') fchmodSync(fd, mode)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Puts new bytes in the file's place in one step, with its mode; a link stays a link.
 * @param expected the digest that the file must still have; unset: whatever it is, or nothing
 * @throws Fault CONFLICT when it has another
 */
export function replaceFile(file: string, bytes: Uint8Array, expected?: string): void {
  let mode = 0o600
  let target = file
  try {
    target = realpathSync(file)
    mode = statSync(target).mode & 0o777
  } catch {
    // It does not exist yet.
  }
  const draft = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`)
  writeNew(draft, bytes, mode)
  try {
    if (expected !== undefined && readWhole(target).digest !== expected)
      throw new Fault('CONFLICT', `${file} changed meanwhile; look at it again`, { where: file })
    renameSync(draft, target)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}
