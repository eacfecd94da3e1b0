/** What decides now: the active version, the one tried beside it, and who may change them; each with its own decider. */
import type { KeyObject } from 'node:crypto'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import { defaultCharter } from './charter/charter.ts'
import type { Charter } from './charter/charter.ts'
import { CHARTER_FILE, readCharter } from './charter/read-charter.ts'
import { checkFiles } from './check-files.ts'
import type { Checked } from './check-files.ts'
import { versionOf } from './digest.ts'
import type { LiveWorld } from './live-world.ts'
import { makeDecider } from './make-decider.ts'
import type { Decider } from './make-decider.ts'
import type { Comparison } from './stages.ts'
import type { PolicyFiles, PolicyStatus, PolicyWorld } from './types.ts'
import type { Stage } from './versions-store.ts'

export type LiveOptions = {
  /** Of the policy files. */
  folder: string
  world: PolicyWorld
  store: Store
  ledger: Pick<Ledger, 'append' | 'find'>
  /** Ed25519: signs what becomes active, and what is stored is checked by it. */
  key: KeyObject
  log: Logger
  clock: Clock
}

/** A version that can decide. */
export type Loaded = Checked & { files: PolicyFiles; decider: Decider }
export type Active = Loaded & { activation: number; activatedAt: number }
export type Staged = Loaded & { stage: Stage }

/** The version whose charter says who may change policies. Without a charter: the ledger names it, but the store has lost it. */
export type Governor = { version: string; charter: Charter | undefined }

export type State = {
  live: LiveWorld
  active: Active | undefined
  staged: Staged | undefined
  /** Undefined while no version was ever active that names an authority. */
  governor: Governor | undefined
  /** The last steps that were looked at in the store. */
  steps: { activation: number; stage: number }
  unfit: PolicyStatus['unfit']
  /** Digest of the world that is kept. */
  kept: string | undefined
  refused: PolicyStatus['refused']
  /** A changed folder that waits for a review, since the charter asks for one. */
  pending: { version: string; files: PolicyFiles } | undefined
  /** What the folder was when it was last looked at, so that the same is not judged twice. */
  seen: string | undefined
  /** Versions that were read lately: to finish what they held, and to go back to at once. That they are here gives them no say. */
  known: Map<string, Loaded>
  /** What was checked last, by version and world: a proposal is looked at many times before it is active. */
  checks: Map<string, Promise<Checked>>
  listeners: Set<() => void>
  comparers: Set<(comparison: Comparison) => void>
}

/** @returns undefined when the texts hold a charter that can't be read: then nobody knows what it asks */
export function charterOf(files: PolicyFiles): Charter | undefined {
  const text = files[CHARTER_FILE]
  if (text === undefined) return defaultCharter
  const read = readCharter(text)
  return 'charter' in read ? read.charter : undefined
}

/** @returns undefined when its charter lets whoever can write the folder change policies */
export function governorOf(version: string, charter: Charter): Governor | undefined {
  return charter.authorities === undefined ? undefined : { version, charter }
}

const MAX_CHECKS = 8
const MAX_KNOWN = 8

/** The newest stay. */
export function keepKnown({ known }: State, loaded: Loaded): void {
  known.delete(loaded.version)
  known.set(loaded.version, loaded)
  const [oldest] = known.keys()
  if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest)
}

/** As `checkFiles` in the world as it is, which always says the same of the same texts. */
export function check({ live, checks }: State, files: PolicyFiles): Promise<Checked> {
  const key = `${versionOf(files)} ${live.digest}`
  const known = checks.get(key)
  if (known) return known
  const [oldest] = checks.keys()
  if (checks.size >= MAX_CHECKS && oldest !== undefined) checks.delete(oldest)
  const started = checkFiles(files, live.world).then((checked) => {
    // What the engine failed on may have been the engine's moment.
    if (!checked.readable) checks.delete(key)
    return checked
  })
  checks.set(key, started)
  return started
}

export function load({ live }: State, { log }: LiveOptions, checked: Checked, files: PolicyFiles): Loaded {
  const onError = (policy: string, code: string) => log.warn({ policy, code }, 'a policy could not be evaluated')
  return { ...checked, files, decider: makeDecider({ bundle: checked, live, onError }) }
}

export function putActive(state: State, active: Active): void {
  keepKnown(state, active)
  state.active = active
  state.staged = undefined
  for (const listener of state.listeners) listener()
}

export function putStaged(state: State, staged: Staged | undefined): void {
  if (state.staged === staged) return
  if (staged) keepKnown(state, staged)
  state.staged = staged
  for (const listener of state.listeners) listener()
}
