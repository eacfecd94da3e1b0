/** Opens the room: what of the folder is active, what was refused, and decisions under the active one. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import { checkFiles, versionOf } from './check-files.ts'
import type { Checked } from './check-files.ts'
import type { LeftOut } from './input-type.ts'
import { makeDecider } from './make-decider.ts'
import type { Decider } from './make-decider.ts'
import { digestOf, makeSchema } from './make-schema.ts'
import type { WorldSchema } from './make-schema.ts'
import { openEvaluator } from './open-evaluator.ts'
import type { Evaluator } from './open-evaluator.ts'
import { readFolder } from './read-folder.ts'
import { activatedEntry, activationId, refusedEntry } from './entries.ts'
import { startCedar } from './start-cedar.ts'
import { insertBundle, lastBundle } from './store.ts'
import type { Decision, Finding, PolicyFiles, PolicyPrincipal, PolicyRequest, PolicyStatus, PolicyWorld } from './types.ts'
import { watchFolder } from './watch-folder.ts'

export interface Policy {
  /** Never throws: whatever fails is a denial. */
  decide(request: PolicyRequest): Promise<Decision>
  /** False when no arguments whatever could be permitted, or held for a person; true when that is not certain. */
  couldPermit(principal: PolicyPrincipal, action: string, server: string): boolean
  /** `sha256:…` of the active texts. */
  version(): string | undefined
  /** @param source a folder, or texts by file name; checked against the world as it is. Changes nothing. */
  check(source: string | PolicyFiles): Promise<Finding[]>
  active(): PolicyStatus
  /** The Cedar schema of the world as text, and what policies can't see. */
  schema(): Promise<{ digest: string; text: string; leftOut: readonly LeftOut[] }>
  /** Decisions are about the new world at once; resolves when the policies were checked against it. */
  setWorld(world: PolicyWorld): Promise<void>
  /** Looks at the folder now. */
  reload(): Promise<void>
  /** Called after other policies became active. Returns what stops it. */
  on(listener: () => void): () => void
  close(): Promise<void>
}

export type PolicyOptions = {
  /** Of `*.cedar` files. */
  folder: string
  world: PolicyWorld
  store: Store
  ledger: Pick<Ledger, 'append' | 'find'>
  log: Logger
  clock: Clock
  /** Of one decision, waiting included. */
  timeoutMs: number
  /** How often the folder is looked at, beside the system's notices; 1,000 ms unless said. */
  pollMs?: number
}

type Active = Checked & { files: PolicyFiles; activation: number; activatedAt: number; evaluator: Evaluator }
type State = {
  world: PolicyWorld
  schema: WorldSchema
  active: Active | undefined
  decider: Decider | undefined
  refused: PolicyStatus['refused']
  /** What the folder was when it was last looked at, so that the same is not judged twice. */
  seen: string | undefined
  listeners: Set<() => void>
}

function decideUnder(state: State, { log }: PolicyOptions): void {
  const { active, world, schema } = state
  if (!active) return
  const onError = (policy: string, message: string) => log.warn({ policy, message }, 'a policy could not be evaluated')
  state.decider = makeDecider({ bundle: active, world, schema, evaluator: active.evaluator, onError })
}

function put(
  state: State,
  options: PolicyOptions,
  checked: Checked,
  files: PolicyFiles,
  at: { activation: number; activatedAt: number },
): void {
  const texts = Object.fromEntries([...checked.policies].map(([id, { asPermit }]) => [id, asPermit]))
  const before = state.active?.evaluator
  state.active = { ...checked, files, ...at, evaluator: openEvaluator(texts, options.timeoutMs) }
  decideUnder(state, options)
  // Calls that are being decided finish under the policies that they began with.
  before?.close()
  for (const listener of state.listeners) listener()
}

/** The last good texts, when they are those that the ledger says were activated. */
async function restore(state: State, options: PolicyOptions): Promise<void> {
  const { store, ledger, log } = options
  const stored = await lastBundle(store)
  if (!stored) return
  // Whoever can write the table could put other texts there, or take the latest row away; the ledger knows the right one.
  const entry = await ledger.find(activationId(stored.activation))
  const later = await ledger.find(activationId(stored.activation + 1))
  if (later || entry?.body.version !== stored.version || versionOf(stored.files) !== stored.version) {
    log.error({ activation: stored.activation }, 'the stored policies are not those that the ledger names; they stay unused')
    return
  }
  const checked = await checkFiles(stored.files, state.schema, state.world)
  if (checked.readable) put(state, options, checked, stored.files, stored)
  else log.error({ version: stored.version }, 'the stored policies cannot be read by this version; they stay unused')
}

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

/** After the last that the store knows, and after any that only the ledger knows. */
async function nextActivation({ store, ledger }: PolicyOptions): Promise<number> {
  let next = ((await lastBundle(store))?.activation ?? 0) + 1
  while (await ledger.find(activationId(next))) next++
  return next
}

async function activate(state: State, options: PolicyOptions, checked: Checked, files: PolicyFiles): Promise<void> {
  const { ledger, log, clock } = options
  const at = { activation: await nextActivation(options), activatedAt: clock.now() }
  const { version, policies } = checked
  const entry = activatedEntry({ ...at, version, policies: policies.size, previous: state.active?.version, schema: state.schema.digest })
  await ledger.append({ changes: [insertBundle({ ...at, version, files })], entries: [entry] })
  state.refused = undefined
  put(state, options, checked, files, at)
  log.info({ version, policies: policies.size, files: Object.keys(files).length }, 'policies are active')
}

const MAX_READINGS = 50

/** Reads the folder until two readings agree: what an editor is half-way through writing is not a policy. */
async function readSettled(folder: string, seen: string | undefined) {
  let last: string | undefined
  for (let round = 1; ; round++) {
    const read = await readFolder(folder)
    const version = 'files' in read ? versionOf(read.files) : digestOf(read.findings)
    if (version === seen || version === last || round === MAX_READINGS) return { read, version }
    last = version
    await pause(50)
  }
}

async function look(state: State, options: PolicyOptions): Promise<void> {
  const { read, version } = await readSettled(options.folder, state.seen)
  if (version === state.seen) return
  if ('findings' in read) await refuse(state, options, version, read.findings)
  else if (version === state.active?.version) state.refused = undefined
  else {
    const checked = await checkFiles(read.files, state.schema, state.world)
    const bad = !checked.readable || checked.findings.some(({ severity }) => severity === 'error')
    if (bad) await refuse(state, options, version, checked.findings)
    else await activate(state, options, checked, read.files)
  }
  // Only now: a store that could not write is tried again at the next look.
  state.seen = version
}

/** The active texts stay active in a world that they don't fit any more: what can't be evaluated is denied. */
async function reconsider(state: State, options: PolicyOptions): Promise<void> {
  const { active, schema, world } = state
  if (active) {
    const { findings } = await checkFiles(active.files, schema, world)
    if (state.active === active) state.active = { ...active, findings }
    const errors = findings.filter(({ severity }) => severity === 'error')
    if (errors.length > 0)
      options.log.warn({ first: errors[0], errors: errors.length }, 'the active policies do not fit the tools any more')
  }
  if (state.refused) state.seen = undefined
  await look(state, options)
}

function statusOf({ active, refused }: State): PolicyStatus {
  const policies = [...(active?.policies.values() ?? [])].map(({ id, effect, ask, file, line, reason }) => ({
    id,
    effect: ask ? ('hold' as const) : effect,
    file,
    line,
    reason,
  }))
  return {
    version: active?.version,
    activatedAt: active?.activatedAt,
    files: active?.files ?? {},
    policies,
    findings: active?.findings ?? [],
    refused,
  }
}

async function checkSource({ schema, world }: State, source: string | PolicyFiles): Promise<Finding[]> {
  const read = typeof source === 'string' ? await readFolder(source) : { files: source }
  return 'findings' in read ? read.findings : (await checkFiles(read.files, schema, world)).findings
}

const MISSING: Decision = {
  version: undefined,
  world: undefined,
  effect: 'deny',
  fault: 'POLICY_MISSING',
  detail: 'No policy is active, so everything is refused.',
  reasons: [],
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
    world,
    schema: makeSchema(world),
    active: undefined,
    decider: undefined,
    refused: undefined,
    seen: undefined,
    listeners: new Set(),
  }
  let tail: Promise<unknown> = Promise.resolve()
  /** One after another: two looks at once could activate in the wrong order. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = tail.then(work)
    tail = turn.catch(() => undefined)
    return turn
  }
  let checks: Promise<unknown> = Promise.resolve()
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

  return {
    async decide(request) {
      try {
        return state.decider ? await state.decider.decide(request) : MISSING
      } catch (error) {
        log.error({ err: error }, 'a decision failed')
        const detail = 'The policy engine failed on this call.'
        return { version: state.active?.version, world: undefined, effect: 'deny', fault: 'POLICY_ERROR', detail, reasons: [] }
      }
    },
    couldPermit: (principal, action, server) => state.decider?.couldPermit(principal, action, server) ?? false,
    version: () => state.active?.version,
    check(source) {
      // One at a time: each takes a thread and a processor.
      const turn = checks.then(() => checkSource(state, source))
      checks = turn.catch(() => undefined)
      return turn
    },
    active: () => statusOf(state),
    async schema() {
      const { schema } = state
      return { digest: schema.digest, text: await schemaText(schema), leftOut: schema.leftOut }
    },
    async setWorld(next) {
      const before = state.schema.digest
      if (digestOf(next) === digestOf(state.world)) return
      state.world = next
      state.schema = makeSchema(next)
      decideUnder(state, options)
      if (state.schema.digest !== before) await inTurn(() => reconsider(state, options))
    },
    reload: () => inTurn(() => look(state, options)),
    on(listener) {
      state.listeners.add(listener)
      return () => state.listeners.delete(listener)
    },
    async close() {
      stop()
      await tail
      state.active?.evaluator.close()
    },
  }
}
