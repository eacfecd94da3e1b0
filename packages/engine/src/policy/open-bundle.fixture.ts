/** For tests of what policies decide: texts in the fixture's world, without a store or a folder. */
import { openBundle } from './open-bundle.ts'
import type { OpenBundle } from './open-bundle.ts'
import { world as fixtureWorld } from './policy.fixture.ts'
import type { PolicyFiles, PolicyWorld } from './types.ts'

/** Fails when the policies have errors. */
export async function openGood(files: PolicyFiles | string, world: PolicyWorld = fixtureWorld): Promise<OpenBundle> {
  const bundle = await openBundle(typeof files === 'string' ? { 'a.cedar': files } : files, world)
  const errors = bundle.findings.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw new Error(JSON.stringify(errors))
  return bundle
}
