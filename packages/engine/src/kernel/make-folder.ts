/** Makes a folder and those above it, each for its owner alone. */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Step by step: Node's recursive mkdir never returns where a parent exists and refuses children with ENOENT, as `/proc` does.
 * @throws the file system's error
 */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder, { mode: 0o700 })
}
