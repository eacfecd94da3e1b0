/** Applications for tests: the to-do list and the certification fixture of the AuthZEN working group, as configuration alone. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PolicyFiles } from '../types.ts'

export const FIXTURES = join(import.meta.dirname, 'fixtures')

export function filesOf(name: string): PolicyFiles {
  const folder = join(FIXTURES, name)
  return Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]))
}
