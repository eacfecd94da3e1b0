/** Replaces a small file so that a crash leaves the old one or the new one, never a mixture. */
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { Fault } from '@ephor/contract'

function syncPath(path: string, flags: string, write?: string): void {
  const file = openSync(path, flags, 0o600)
  try {
    if (write !== undefined) writeSync(file, write)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** @throws what the file system throws */
export function writeDurably(file: string, text: string): void {
  const temporary = `${file}.tmp`
  syncPath(temporary, 'w', text)
  renameSync(temporary, file)
  // The rename itself is durable once the folder is. Windows can't open folders.
  if (process.platform !== 'win32') syncPath(dirname(file), 'r')
}

/** Copies a checkpoint to the file outside the store. @throws Fault STORE_UNAVAILABLE */
export function keepOutside(file: string, note: string): void {
  try {
    writeDurably(file, note)
  } catch (error) {
    throw new Fault('STORE_UNAVAILABLE', `the checkpoint outside the store can't be written: ${(error as Error).message}`)
  }
}
