/** The steps of versions: each is rows and a ledger entry of one unit, numbered, so that a start can ask the ledger which was the last. */
import { randomBytes } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { Part } from '@ephor/engine/ledger'
import type { Checked } from './check-files.ts'
import { versionOf } from './digest.ts'
import { activatedEntry, activationId, stagedEntry, stageId } from './entries.ts'
import { charterOf, check, governorOf, load, putActive, putStaged } from './live.ts'
import type { Governor, LiveOptions, Loaded, State } from './live.ts'
import { signBundle, verifyBundle } from './sign-bundle.ts'
import { insertBundle, insertFiles, lastBundle, readFiles } from './store.ts'
import type { PolicyFiles } from './types.ts'
import { findSignature, insertStage, lastStage, putFolder, putSignature, reinstateVersion, withdrawVersion } from './versions-store.ts'
import type { Stage } from './versions-store.ts'

/** Who answers for a version: `author` is a person (`per_…`) or `folder`. */
export type By = { author: string; reviewers: readonly string[] }

/** Texts that are what their version says and that were signed when they were published. */
async function signedFiles({ store, key, log }: LiveOptions, version: string): Promise<PolicyFiles | undefined> {
  const [files, signature] = await Promise.all([readFiles(store, version), findSignature(store, version)])
  // Whoever can write the tables could put other texts there; the version and the signature know the right ones.
  if (files && signature && versionOf(files) === version && verifyBundle(key, { version, files, ...signature })) return files
  log.error({ version }, 'the stored policies are not those that were signed; they stay unused')
  return undefined
}

export async function loadSigned(state: State, options: LiveOptions, version: string): Promise<Loaded | undefined> {
  const files = await signedFiles(options, version)
  if (!files) return undefined
  const checked = state.known.get(version) ?? (await check(state, files))
  if (checked.readable) return load(state, options, checked, files)
  options.log.error({ version }, 'the stored policies cannot be read by this version; they stay unused')
  return undefined
}

async function nextNumber({ ledger }: LiveOptions, idOf: (number: number) => string, known: number): Promise<number> {
  let next = known + 1
  while (await ledger.find(idOf(next))) next++
  return next
}

/** What is tried beside the active version, when it is what the ledger says. */
export async function restoreStage(state: State, options: LiveOptions): Promise<void> {
  const { store, ledger, log } = options
  const row = await lastStage(store)
  state.steps.stage = row?.step ?? 0
  if (!row?.stage || row.activation !== state.active?.activation) return putStaged(state, undefined)
  const { step, stage } = row
  const body = (await ledger.find(stageId(step)))?.body
  const same = body?.version === stage.version && body.mode === stage.mode && body.percent === stage.percent
  const isLast = (await nextNumber(options, stageId, step)) === step + 1
  const loaded = same && isLast ? await loadSigned(state, options, stage.version) : undefined
  if (!loaded) log.error({ step }, 'what is stored as tried beside the active policies is not what the ledger names; it is not tried')
  putStaged(state, loaded && Object.assign(loaded, { stage }))
}

/** The last good texts, when they are those that the ledger says were activated. */
export async function restore(state: State, options: LiveOptions): Promise<void> {
  const { store, ledger, log } = options
  const row = await lastBundle(store)
  state.steps.activation = row?.activation ?? 0
  const recorded = row && (await ledger.find(activationId(row.activation))) ? row.activation : 0
  const last = (await nextNumber(options, activationId, recorded)) - 1
  if (last === 0 && !row) return
  const body = (await ledger.find(activationId(last)))?.body
  // What the ledger says of who may change policies holds even where the store has lost what that was.
  const governor = typeof body?.governor === 'string' ? body.governor : undefined
  const files = governor === undefined ? undefined : await signedFiles(options, governor)
  state.governor = governor === undefined ? undefined : { version: governor, charter: files && charterOf(files) }
  // Whoever can write the table could also take the latest row away, or add one.
  if (!row || row.activation !== last || body?.version !== row.version) {
    log.error({ activation: row?.activation }, 'the stored policies are not those that the ledger names; they stay unused')
    return
  }
  const loaded = await loadSigned(state, options, row.version)
  if (!loaded) return
  putActive(state, Object.assign(loaded, { activation: row.activation, activatedAt: row.activatedAt }))
  await restoreStage(state, options)
}

export type Activating = {
  checked: Checked
  files: PolicyFiles
  /** Who answers for it; unless given, whoever signed it before. */
  by?: By
  /** Who may change policies from now on; as the new version's own charter says unless given. */
  governor?: Governor | undefined
  /** What the folder holds, when that is why; else it stays as it was seen last. */
  folder?: string
  /** What has to be written with it. */
  part?: Part
  /** A version that decides nothing from now on. */
  withdraw?: string | undefined
}

export async function activate(state: State, options: LiveOptions, activating: Activating): Promise<void> {
  const { store, ledger, log, clock, key } = options
  const { checked, files, by, part, withdraw, folder = state.seen } = activating
  const { version, policies, charter } = checked
  const schema = state.live.schema(Object.keys(charter.budgets))
  const governor = activating.governor ?? governorOf(version, charter)
  const known = (await lastBundle(store))?.activation ?? 0
  const at = { activation: await nextNumber(options, activationId, known), activatedAt: clock.now() }
  const previous = state.active?.version
  const signed = by && signBundle(key, files, { version, author: by.author, reviewers: [...by.reviewers], at: at.activatedAt })
  const withdraws = withdraw === version ? undefined : withdraw
  const entry = activatedEntry({
    ...at,
    version,
    policies: policies.size,
    previous,
    schema: schema.digest,
    governor: governor?.version,
    step: { envelope: signed, withdraws, folder },
  })
  await ledger.append({
    changes: [
      insertFiles(version, files),
      ...(withdraws === undefined ? [] : [withdrawVersion(withdraws)]),
      signed === undefined ? reinstateVersion(version) : putSignature(version, signed),
      insertBundle({ ...at, version }),
      ...(folder === undefined ? [] : [putFolder(folder)]),
      ...(part?.changes ?? []),
    ],
    entries: [entry, ...(part?.entries ?? [])],
  })
  state.steps.activation = at.activation
  state.governor = governor
  state.refused = undefined
  state.pending = undefined
  putActive(state, Object.assign(load(state, options, checked, files), at))
  log.info({ version, policies: policies.size, files: Object.keys(files).length }, 'policies are active')
}

async function nextStep({ active }: State, options: LiveOptions, stage: Stage | undefined) {
  if (!active) throw new Fault('POLICY_MISSING', 'no version is active beside which another could be tried')
  const step = await nextNumber(options, stageId, (await lastStage(options.store))?.step ?? 0)
  return { step, activation: active.activation, stage }
}

export type Staging = { checked: Checked; files: PolicyFiles; mode: Stage['mode']; percent: number; by: By; part: Part }

/** Tries a version beside the active one. The same one again keeps its salt, so that more per cent take no session away. */
export async function stage(state: State, options: LiveOptions, { checked, files, mode, percent, by, part }: Staging): Promise<void> {
  const { version } = checked
  const before = state.staged?.stage
  const salt = before?.version === version ? before.salt : randomBytes(16).toString('hex')
  const next: Stage = { version, mode, percent, salt }
  const step = await nextStep(state, options, next)
  const said = { version, author: by.author, reviewers: [...by.reviewers], at: options.clock.now() }
  const envelope = signBundle(options.key, files, said)
  await options.ledger.append({
    changes: [putSignature(version, envelope), insertStage(step), ...part.changes],
    entries: [stagedEntry(step, { envelope }), ...part.entries],
  })
  state.steps.stage = step.step
  putStaged(state, Object.assign(load(state, options, checked, files), { stage: next }))
}

/** Ends the trial: what that version held can't be finished any more. */
export async function unstage(state: State, options: LiveOptions, part: Part): Promise<void> {
  if (!state.staged) throw new Fault('CONFLICT', 'no version is being tried')
  const { version } = state.staged
  const step = await nextStep(state, options, undefined)
  await options.ledger.append({
    changes: [withdrawVersion(version), insertStage(step), ...part.changes],
    entries: [stagedEntry(step, { withdraws: version }), ...part.entries],
  })
  state.steps.stage = step.step
  putStaged(state, undefined)
}
