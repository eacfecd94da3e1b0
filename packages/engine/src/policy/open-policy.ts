/** Opens the room: what of the folder is active, what was refused, and decisions under the active one. */
import type { Entry } from '@ephor/engine/ledger'
import { activate, restore } from './activate.ts'
import { analyze } from './analyze/analyze.ts'
import { diff } from './analyze/diff-policies.ts'
import type { Analysis, DiffResult } from './analyze/types.ts'
import { reviewOverdue } from './charter/check-charter.ts'
import { defaultCharter } from './charter/charter.ts'
import type { Charter } from './charter/charter.ts'
import type { BudgetTerms } from './charter/charges.ts'
import { checkFiles } from './check-files.ts'
import { diffSchemas } from './diff-schemas.ts'
import { digestOf } from './digest.ts'
import { refusedEntry } from './entries.ts'
import type { LeftOut } from './input-type.ts'
import { findWorld, keepWorld } from './keep-world.ts'
import { check } from './live.ts'
import type { LiveOptions, State } from './live.ts'
import { createWorld } from './live-world.ts'
import type { WorldSchema } from './make-schema.ts'
import { readFolder } from './read-folder.ts'
import { readSettled } from './read-settled.ts'
import { decideStaged } from './stages.ts'
import { startCedar } from './start-cedar.ts'
import type { Decision, Finding, PolicyFiles, PolicyPrincipal, PolicyRequest, PolicyStatus, PolicyWorld } from './types.ts'
import { decideUnder, follow, makeVersions } from './versions.ts'
import type { Versions } from './versions.ts'
import { lastFolder } from './versions-store.ts'
import { watchFolder } from './watch-folder.ts'

export interface Policy {
  /** Never throws: whatever fails is a denial. */
  decide(request: PolicyRequest): Promise<Decision>
  /**
   * Finishes what a version held, by that version, after an approval.
   * @returns undefined when it was rolled back, or replaced by whoever changed the folder: then it is asked anew
   */
  decideUnder(version: string, request: PolicyRequest): Promise<Decision | undefined>
  /** False when no arguments whatever could be permitted, or held for a person; true when that is not certain. */
  couldPermit(principal: PolicyPrincipal, action: string, server: string): boolean
  /** The budgets of the active charter that cover this agent's calls of this action. */
  budgets(agent: string, action: string): BudgetTerms[]
  /** The charter of the active texts; the default when none is active. */
  charter(): Charter
  /** `sha256:…` of the active texts. */
  version(): string | undefined
  /** @param source a folder, or texts by file name; checked against the world as it is. Changes nothing. */
  check(source: string | PolicyFiles): Promise<Finding[]>
  /** What is wrong with texts as they stand together, in the world as it is. Changes nothing, and takes seconds. */
  analyze(files: PolicyFiles, people?: PolicyWorld['people']): Promise<Analysis>
  /** Which requests two sets of texts decide differently. */
  diff(from: PolicyFiles, to: PolicyFiles): Promise<DiffResult>
  active(): PolicyStatus
  /** What rollouts do with versions. */
  readonly versions: Versions
  /** The Cedar schema of the world as text, and what policies can't see. */
  schema(): Promise<{ digest: string; text: string; leftOut: readonly LeftOut[] }>
  /** Texts by the version that decisions name; undefined for one that was never kept here. */
  bundle(version: string): Promise<PolicyFiles | undefined>
  /** The world by the digest that decisions name. */
  world(digest: string): Promise<PolicyWorld | undefined>
  /** What decisions are about now. */
  worldNow(): PolicyWorld
  /** Decisions are about the new world at once; resolves when the policies were checked against it. */
  setWorld(world: PolicyWorld): Promise<void>
  /** Looks at the folder now. */
  reload(): Promise<void>
  /** Takes over what another replica wrote, of which this is the entry. */
  follow(entry: Entry): Promise<void>
  /** Called after other policies became active. Returns what stops it. */
  on(listener: () => void): () => void
  close(): Promise<void>
}

export type PolicyOptions = LiveOptions & {
  /** How often the folder is looked at, beside the system's notices; 1,000 ms unless said. */
  pollMs?: number
}

/** How often the store is asked for steps that another process took, in ms. */
const FOLLOW_MS = 500

async function refuse(state: State, options: PolicyOptions, version: string, findings: readonly Finding[]): Promise<void> {
  const { ledger, log, clock } = options
  // Judged again in a new world, with the same result: nothing happened.
  if (state.refused?.version === version && digestOf(state.refused.findings) === digestOf(findings)) return
  await ledger.append({ changes: [], entries: [refusedEntry(version, findings, state.active?.version)] })
  state.refused = { version, at: clock.now(), findings }
  const [first] = findings
  const where = first && `${first.file}:${first.line}:${first.column}`
  log.error(
    { where, code: first?.code, problem: first?.message, findings: findings.length },
    'the policy folder has errors and does not become active',
  )
}

/** The folder changed, and nobody who may has agreed to it; or it is what is active again. */
function propose(state: State, { log }: PolicyOptions, pending: State['pending']): void {
  state.refused = undefined
  state.pending = pending
  const { version: active } = state.active ?? {}
  if (pending)
    log.warn({ version: pending.version, active }, 'by the charter the changed policy folder is not active before it is reviewed')
  for (const listener of state.listeners) listener()
}

/** Handed to the ledger at once, before any decision in that world; what could not be written is tried again at the next look. */
async function keep(state: State, options: PolicyOptions): Promise<void> {
  const { digest } = state.live
  if (state.kept === digest) return
  await keepWorld(options, state.live)
  state.kept = digest
}

async function look(state: State, options: PolicyOptions): Promise<void> {
  await keep(state, options)
  const { read, version } = await readSettled(options.folder, state.seen)
  if (version === state.seen) return
  if ('findings' in read) await refuse(state, options, version, read.findings)
  else if (version === state.active?.version || (state.active && version === (await lastFolder(options.store)))) {
    state.refused = undefined
    if (state.pending) propose(state, options, undefined)
  } else {
    const { files } = read
    const checked = await check(state, files)
    const bad = !checked.readable || checked.findings.some(({ severity }) => severity === 'error')
    if (bad) await refuse(state, options, version, checked.findings)
    // The charter that is in force says who may change it, not the one in the folder.
    else if (state.governor) propose(state, options, { version, files })
    else {
      const by = { author: 'folder', reviewers: [] }
      await activate(state, options, { checked, files, by, folder: version, withdraw: state.active?.version })
    }
  }
  // Only now: a store that could not write is tried again at the next look.
  state.seen = version
}

/** The active texts stay active in a world that they don't fit any more: what can't be evaluated is denied. */
async function reconsider(state: State, options: PolicyOptions, before: WorldSchema): Promise<void> {
  const { active, live } = state
  if (active) {
    const { findings, schema } = await checkFiles(active.files, live.world)
    Object.assign(active, { findings, schema })
    const errors = findings.filter(({ severity }) => severity === 'error')
    const policies = [...new Set(errors.map(({ policy, file }) => policy ?? file))]
    state.unfit = errors.length > 0 ? { policies, changed: diffSchemas(before, schema) } : undefined
    if (state.unfit) options.log.warn({ ...state.unfit, first: errors[0] }, 'the active policies do not fit the tools any more')
  }
  if (state.refused) state.seen = undefined
  await look(state, options)
}

function statusOf({ active, refused, staged, pending, governor, unfit }: State, now: number): PolicyStatus {
  const policies = [...(active?.policies.values() ?? [])].map(({ effect, ask, id, file, line, reason, controls, owner, severity }) => ({
    id,
    effect: ask ? ('hold' as const) : effect,
    file,
    line,
    reason,
    controls,
    owner,
    severity,
  }))
  return {
    version: active?.version,
    activatedAt: active?.activatedAt,
    files: active?.files ?? {},
    policies,
    findings: active ? [...active.findings, ...reviewOverdue(active.files, active.charter, now)] : [],
    unfit,
    refused,
    staged: staged && { version: staged.version, mode: staged.stage.mode, percent: staged.stage.percent },
    pending: pending?.version,
    governor: governor?.version,
  }
}

async function checkSource({ live }: State, source: string | PolicyFiles): Promise<Finding[]> {
  const read = typeof source === 'string' ? await readFolder(source) : { files: source }
  return 'findings' in read ? read.findings : (await checkFiles(read.files, live.world)).findings
}

const MISSING: Decision = {
  version: undefined,
  world: undefined,
  effect: 'deny',
  fault: 'POLICY_MISSING',
  detail: 'No policy is active, so everything is refused.',
  reasons: [],
}

/** With the budgets that the active charter declares. */
function schemaOf({ live, active }: State): WorldSchema {
  return live.schema(Object.keys(active?.charter.budgets ?? {}))
}

async function schemaText({ json }: WorldSchema): Promise<string> {
  const cedar = startCedar()
  try {
    return await cedar.ask('schemaText', json, 10_000)
  } finally {
    cedar.close()
  }
}

/** Resolves when the folder, or the last good texts, are active, or when it is known that nothing is. */
export async function openPolicy(options: PolicyOptions): Promise<Policy> {
  const { folder, log, world } = options
  const state: State = {
    live: createWorld(world),
    active: undefined,
    staged: undefined,
    governor: undefined,
    steps: { activation: 0, stage: 0 },
    unfit: undefined,
    kept: undefined,
    refused: undefined,
    pending: undefined,
    seen: undefined,
    known: new Map(),
    checks: new Map(),
    listeners: new Set(),
    comparers: new Set(),
  }
  let tail: Promise<unknown> = Promise.resolve()
  /** One after another: two looks at once could activate in the wrong order. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = tail.then(work)
    tail = turn.catch(() => undefined)
    return turn
  }
  const versions = makeVersions(state, options, inTurn)
  let checks: Promise<unknown> = Promise.resolve()
  /** One at a time: each takes a thread and a processor. */
  function checkInTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = checks.then(work)
    checks = turn.catch(() => undefined)
    return turn
  }
  let looking = false
  function lookSoon(): void {
    if (looking) return
    looking = true
    inTurn(() => look(state, options))
      .catch((error: unknown) => log.error({ err: error }, 'the policy folder could not be looked at'))
      .finally(() => (looking = false))
  }
  await restore(state, options)
  await look(state, options)
  const stop = watchFolder(folder, options.pollMs ?? 1000, lookSoon)
  let following = false
  const follower = setInterval(() => {
    if (following) return
    following = true
    inTurn(() => follow(state, options))
      .catch((error: unknown) => log.error({ err: error }, 'the store could not be asked which policies are active'))
      .finally(() => (following = false))
  }, FOLLOW_MS).unref()

  return {
    decide: async (request) => (state.active ? decideStaged(state, state.active, request, options) : MISSING),
    decideUnder: (version, request) => decideUnder(state, options, version, request),
    budgets(agent, action) {
      // A version that is tried may have budgets that the active one lacks.
      const all = [state.staged, state.active].flatMap((loaded) => loaded?.decider.budgets(agent, action) ?? [])
      return [...new Map(all.map((terms) => [terms.budget, terms])).values()]
    },
    charter: () => state.active?.charter ?? defaultCharter,
    couldPermit: (principal, action, server) =>
      [state.active, state.staged?.stage.mode === 'canary' ? state.staged : undefined].some(
        (loaded) => loaded?.decider.couldPermit(principal, action, server) === true,
      ),
    version: () => state.active?.version,
    check: (source) => checkInTurn(() => checkSource(state, source)),
    analyze: (files, people) => checkInTurn(() => analyze(files, { ...state.live.world, ...(people && { people }) })),
    diff: (from, to) => checkInTurn(() => diff(from, to, state.live.world)),
    active: () => statusOf(state, options.clock.now()),
    versions,
    async schema() {
      const schema = schemaOf(state)
      return { digest: schema.digest, text: await schemaText(schema), leftOut: schema.leftOut }
    },
    bundle: (version) => versions.files(version),
    world: (digest) => findWorld(options, digest),
    worldNow: () => state.live.world,
    async setWorld(next) {
      const before = schemaOf(state)
      state.live.follow(next)
      const kept = keep(state, options)
      if (schemaOf(state).digest !== before.digest) await inTurn(() => reconsider(state, options, before))
      await kept
    },
    reload: () => inTurn(() => look(state, options)),
    async follow({ body: { type } }) {
      if (type === 'policy.activated' || type === 'policy.staged') await inTurn(() => follow(state, options))
    },
    on(listener) {
      state.listeners.add(listener)
      return () => state.listeners.delete(listener)
    },
    async close() {
      stop()
      clearInterval(follower)
      await tail
    },
  }
}
