/** Makes the data folder on the first run, for its owner alone, with a copy of the policies that come with Ephor. */
import { accessSync, chmodSync, constants, cpSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Fault } from '@ephor/contract'

const PACK = fileURLToPath(new URL('../../../policies/', import.meta.url))

/** Step by step: Node's recursive mkdir never returns where a parent exists and refuses children with ENOENT, as in `/proc`. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder, { mode: 0o700 })
}

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
