/** Makes the data folder on the first run, for its owner alone, with a copy of the policies that come with Ephor. */
import { accessSync, chmodSync, constants, cpSync, existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Fault } from '@ephor/contract'
import { makeFolder } from '@ephor/engine/kernel'

const PACK = fileURLToPath(new URL('../../../policies/', import.meta.url))

/** @throws Fault HOME_UNWRITABLE */
export function prepareHome(home: string, policyFolder: string): void {
  try {
    makeFolder(home)
    // A folder that was there before may be open to others; the keys inside are closed in any case.
    if (process.platform !== 'win32' && (statSync(home).mode & 0o077) !== 0) chmodSync(home, 0o700)
    accessSync(home, constants.W_OK)
    // An emptied folder stays empty: that is somebody's decision that nothing is permitted.
    if (!existsSync(policyFolder)) cpSync(PACK, policyFolder, { recursive: true, filter: (from) => !from.endsWith('.test.ts') })
  } catch (error) {
    throw new Fault('HOME_UNWRITABLE', `${home}: ${(error as Error).message}`, { cause: error })
  }
}
