/** Versions by name: what rollouts do with them, one step after another, and decisions under one that is active no more. */
import { Fault } from '@ephor/contract'
import type { Change } from '@ephor/engine/kernel'
import type { Part } from '@ephor/engine/ledger'
import { activate, loadSigned, restore, restoreStage, stage, unstage } from './activate.ts'
import type { By } from './activate.ts'
import type { Charter } from './charter/charter.ts'
import type { Checked } from './check-files.ts'
import { versionOf } from './digest.ts'
import { charterOf, check, keepKnown } from './live.ts'
import type { Governor, LiveOptions, State } from './live.ts'
import type { Comparison } from './stages.ts'
import { insertFiles, lastBundle, readFiles } from './store.ts'
import type { Decision, Finding, PolicyFiles, PolicyRequest } from './types.ts'
import { findSignature, lastStage, listActivations, wasActive } from './versions-store.ts'
import type { Activation, Stage } from './versions-store.ts'

export type Live = {
  version: string | undefined
  activation: number | undefined
  /** Of the active version. */
  charter: Charter | undefined
  stage: Omit<Stage, 'salt'> | undefined
  governor: Governor | undefined
  /** A changed folder that waits for a review. */
  pending: { version: string; files: PolicyFiles } | undefined
}

export interface Versions {
  live(): Live
  /** What keeps texts from becoming active, in the world as it is; the charter is undefined when it can't be read. */
  inspect(files: PolicyFiles): Promise<{ version: string; findings: readonly Finding[]; charter: Charter | undefined }>
  /** Puts texts under their version, so that they can be reviewed. They decide nothing by that. */
  keep(files: PolicyFiles): Change
  /** Texts that are what the version says. */
  files(version: string): Promise<PolicyFiles | undefined>
  /**
   * Makes a kept version active, in one unit with `part`.
   * @param how.beside the version that must be active until then
   * @throws Fault PROPOSAL_STALE, POLICY_INVALID, BUNDLE_INVALID; then nothing changed.
   */
  activate(version: string, how: { beside: string | undefined; by: By; part: Part }): Promise<void>
  /**
   * Makes a version active that was active before, with the signature that it has. What it replaces decides nothing any more,
   * held calls included; who may change policies stays as it is. @throws Fault BUNDLE_INVALID
   */
  reinstate(version: string, part: Part): Promise<void>
  /** Tries a kept version beside the active one. @throws as `activate`. */
  stage(version: string, how: { beside: string; mode: Stage['mode']; percent: number; by: By; part: Part }): Promise<void>
  /** Ends the trial. @throws Fault CONFLICT when there is none. */
  unstage(part: Part): Promise<void>
  /** Newest first. */
  history(limit: number): Promise<Activation[]>
  wasActive(version: string): Promise<boolean>
  /** Called with each call that two versions were asked. Returns what stops it. */
  onCompared(listener: (comparison: Comparison) => void): () => void
}

type InTurn = <T>(work: () => Promise<T>) => Promise<T>

async function keptFiles({ store }: LiveOptions, version: string): Promise<PolicyFiles> {
  const files = await readFiles(store, version)
  if (!files) throw new Fault('NOT_FOUND', `no policies are kept as ${version}`)
  // The version was reviewed: whoever puts other texts into the row puts them under another name.
  if (versionOf(files) !== version) throw new Fault('BUNDLE_INVALID', `what is stored as ${version} is something else`)
  return files
}

/** @throws Fault POLICY_INVALID with the first thing that keeps the texts from becoming active. */
async function checkKept(state: State, files: PolicyFiles): Promise<Checked> {
  const checked = await check(state, files)
  const error = checked.findings.find(({ severity }) => severity === 'error')
  if (!error && checked.readable) return checked
  const { file, line, column, message } = error ?? { file: '', line: 1, column: 1, message: 'the policies cannot be read' }
  throw new Fault('POLICY_INVALID', `${file}:${line}:${column}: ${message}`, { where: `${file}:${line}:${column}` })
}

function requireBeside({ active }: State, beside: string | undefined): void {
  if (active?.version !== beside)
    throw new Fault('PROPOSAL_STALE', `${active?.version ?? 'nothing'} is active now, not ${beside ?? 'nothing'}`)
}

export function makeVersions(state: State, options: LiveOptions, inTurn: InTurn): Versions {
  const { store } = options
  /** What was read in an earlier world has its findings. */
  async function refresh(files: PolicyFiles): Promise<void> {
    const { version, findings, schema } = await check(state, files)
    if (state.active?.version === version) Object.assign(state.active, { findings, schema })
  }
  return {
    live() {
      const { active, staged, governor, pending } = state
      const { salt: _, ...stage } = staged?.stage ?? { salt: '' }
      return {
        version: active?.version,
        activation: active?.activation,
        charter: active?.charter,
        stage: 'version' in stage ? stage : undefined,
        governor,
        pending,
      }
    },
    async inspect(files) {
      const { version, findings } = await check(state, files)
      return { version, findings, charter: charterOf(files) }
    },
    keep: (files) => insertFiles(versionOf(files), files),
    async files(version) {
      const files = await readFiles(store, version)
      return files && versionOf(files) === version ? files : undefined
    },
    activate: (version, { beside, by, part }) =>
      inTurn(async () => {
        requireBeside(state, beside)
        const files = await keptFiles(options, version)
        await activate(state, options, { checked: await checkKept(state, files), files, by, part })
      }),
    reinstate: (version, part) =>
      inTurn(async () => {
        // Whether it fits the tools of today is no question now: what does not is refused call by call.
        const loaded = await loadSigned(state, options, version)
        if (!loaded) throw new Fault('BUNDLE_INVALID', `what is stored as ${version} is not what was signed, or can't be read`)
        const { files } = loaded
        await activate(state, options, { checked: loaded, files, part, withdraw: state.active?.version, governor: state.governor })
        refresh(files).catch((error: unknown) => options.log.error({ err: error }, 'the policies could not be checked against the tools'))
      }),
    stage: (version, { beside, mode, percent, by, part }) =>
      inTurn(async () => {
        requireBeside(state, beside)
        const files = await keptFiles(options, version)
        await stage(state, options, { checked: await checkKept(state, files), files, mode, percent, by, part })
      }),
    unstage: (part) => inTurn(() => unstage(state, options, part)),
    history: (limit) => listActivations(store, limit),
    wasActive: (version) => wasActive(store, version),
    onCompared(listener) {
      state.comparers.add(listener)
      return () => void state.comparers.delete(listener)
    },
  }
}

/** Other processes on the same store take steps too: what they made active is active here within a second. */
export async function follow(state: State, options: LiveOptions): Promise<void> {
  const [bundle, step] = await Promise.all([lastBundle(options.store), lastStage(options.store)])
  if ((bundle?.activation ?? 0) !== state.steps.activation) await restore(state, options)
  else if ((step?.step ?? 0) !== state.steps.stage) await restoreStage(state, options)
}

/**
 * Finishes a held call under the version that held it, whatever is active by now.
 * @returns undefined when that version was rolled back, or replaced by whoever changed the folder
 */
export async function decideUnder(
  state: State,
  options: LiveOptions,
  version: string,
  request: PolicyRequest,
): Promise<Decision | undefined> {
  const { active, staged } = state
  const canary = staged?.stage.mode === 'canary' ? staged : undefined
  const current = [active, canary].find((loaded) => loaded?.version === version)
  if (current) return current.decider.decide(request)
  const signature = await findSignature(options.store, version)
  if (!signature || signature.withdrawn) return undefined
  const loaded = state.known.get(version) ?? (await loadSigned(state, options, version))
  if (loaded) keepKnown(state, loaded)
  return loaded?.decider.decide(request)
}
