/** `ephor policy init`: a folder to begin with, commented: policies, a charter, and tests that hold. Overwrites nothing. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { json, line } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, withCommon } from '../verb.ts'
import { STARTER } from './starter.ts'

/** @throws Fault REQUEST_INVALID when any policy file stands there already: two bundles in one folder would be neither. */
function writeStarter(folder: string): string[] {
  let there: string[] = []
  try {
    mkdirSync(folder, { recursive: true })
    there = readdirSync(folder).filter((name) => /\.(?:cedar|ya?ml)$/.test(name))
  } catch (error) {
    throw new Fault('REQUEST_INVALID', `the folder can't be made: ${(error as Error).message}`, { where: folder })
  }
  if (there.length > 0)
    throw new Fault('REQUEST_INVALID', `${folder} holds ${there.join(', ')} already; name an empty folder`, { where: folder })
  for (const [name, text] of Object.entries(STARTER)) {
    try {
      writeFileSync(join(folder, name), text, { flag: 'wx' })
    } catch (error) {
      throw new Fault('REQUEST_INVALID', `it can't be written: ${(error as Error).message}`, { where: join(folder, name) })
    }
  }
  return Object.keys(STARTER)
}

export function addInit(policy: Command, io: Io): void {
  const verb = withCommon(
    policy
      .command('init')
      .argument('[folder]', 'policies unless said')
      .description('write a folder to begin with: policies, tests and a charter, commented; overwrites nothing'),
  )
  verb.action((given: string | undefined, options: CommonOptions) => {
    const folder = given ?? 'policies'
    const files = writeStarter(resolve(io.folder, folder))
    if (options.json) return json(io, { folder: resolve(io.folder, folder), files })
    line(io, `Wrote ${files.join(', ')} to ${folder}.`)
    line(io, `Next: ephor policy test ${folder}; then ephor up --policy-folder ${folder}, or ephor policy propose ${folder} --why "…".`)
  })
  examples(verb, 'policy init', 'policy init ./my-policies')
}
