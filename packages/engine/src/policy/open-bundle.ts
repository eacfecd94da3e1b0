/** A bundle off the live one, in a world of one's choice: for tests of policies, backtests, and versions that are only tried. */
import { Fault } from '@ephor/contract'
import { checkFiles } from './check-files.ts'
import type { Checked } from './check-files.ts'
import { createWorld } from './live-world.ts'
import { makeDecider } from './make-decider.ts'
import type { Decider } from './make-decider.ts'
import type { PolicyFiles, PolicyWorld } from './types.ts'

export type OpenBundle = Decider &
  Pick<Checked, 'version' | 'findings' | 'policies' | 'charter' | 'set' | 'schema'> & {
    /** `sha256:…` of the world that it decides about. */
    world: string
    /** The same texts in another world. They are not checked against it: what doesn't fit refuses, as it does while running. */
    under(world: PolicyWorld): OpenBundle
  }

const ignore = () => undefined

function openIn(checked: Checked, world: PolicyWorld): OpenBundle {
  const live = createWorld(world)
  const { version, findings, policies, charter, set } = checked
  const decider = makeDecider({ bundle: checked, live, onError: ignore })
  const schema = live.schema(Object.keys(charter.budgets))
  return { ...decider, version, findings, policies, charter, set, schema, world: live.digest, under: (next) => openIn(checked, next) }
}

/**
 * Decides as the live one does: the same version, world and request give the same decision.
 * @throws Fault POLICY_INVALID when the texts can't be read to the end; policies that don't fit the world are findings.
 */
export async function openBundle(files: PolicyFiles, world: PolicyWorld): Promise<OpenBundle> {
  const checked = await checkFiles(files, world)
  if (checked.readable) return openIn(checked, world)
  const first = checked.findings[0]
  const where = first && `${first.file}:${first.line}:${first.column}`
  throw new Fault(
    'POLICY_INVALID',
    `${where ?? 'policies'}: ${first?.message ?? 'they cannot be read'}`,
    where === undefined ? {} : { where },
  )
}
