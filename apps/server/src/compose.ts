/** The composition root: opens every room in the order in which they stand on one another, and mounts their routes. */
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import type { AgentPrincipal } from '@ephor/contract'
import { mountApprovals, openApprovals } from '@ephor/engine/approvals'
import { backtestView, mountBacktests, openBacktests } from '@ephor/engine/backtests'
import { createBroker, mountBroker, worldOf } from '@ephor/engine/broker'
import { mountBudgets, openBudgets } from '@ephor/engine/budgets'
import { mountAuthzen, mountEnvoy } from '@ephor/engine/doors'
import { createGateway, mountGateway, openUpstreams } from '@ephor/engine/gateway'
import { mountIdentity, openIdentity } from '@ephor/engine/identity'
import { loadKeys, systemClock } from '@ephor/engine/kernel'
import type { JsonObject, Logger } from '@ephor/engine/kernel'
import {
  ledgerExtension,
  mountExports,
  mountLedger,
  mountSearch,
  openExports,
  mountWitnesses,
  openLedger,
  openSearch,
} from '@ephor/engine/ledger'
import {
  declaredBudgets,
  mountPolicy,
  mountPolicyAnalysis,
  mountPolicyQuestions,
  openApplications,
  openPolicy,
  openReasons,
  reportTests,
} from '@ephor/engine/policy'
import type { PolicyFiles } from '@ephor/engine/policy'
import { confine, mountRegistry, openRegistry } from '@ephor/engine/registry'
import { mountRollouts, openRollouts } from '@ephor/engine/rollouts'
import { mountThresholds, openThresholds } from '@ephor/engine/thresholds'
import { mountVault, openVault } from '@ephor/engine/vault'
import type { AcceptedHistory } from '@ephor/engine/ledger'
import type { FastifyInstance } from 'fastify'
import { finishRestore } from './backup/finish-restore.ts'
import { serveBackups } from './backup/serve-backups.ts'
import { keepNamesErased } from './erasure/keep-names-erased.ts'
import { eraseIn, serveErasure } from './erasure/wire-erasure.ts'
import { createEventFeed } from './events/event-feed.ts'
import { mountEvents } from './events/mount-events.ts'
import { createApp } from './http/create-app.ts'
import { mountConsole } from './http/mount-console.ts'
import { mountDescription } from './http/mount-description.ts'
import { mountHealth } from './http/mount-health.ts'
import { mountOutward, openOutward } from './outward/open-outward.ts'
import { rememberAnswers } from './idempotency/remember-answers.ts'
import { openSigner, outsideOf } from './open-signer.ts'
import { openStore } from './open-store.ts'
import type { StoreSettings } from './open-store.ts'
import { serveProjections } from './projections/serve-projections.ts'
import { joinReplicas } from './replicas/join-replicas.ts'
import type { EffectiveSettings } from './settings/load-settings.ts'
import type { Settings } from './settings/schema.ts'
import { VERSION } from './version.ts'
import { openWitnessing } from './witness/open-witnessing.ts'

export type Origins = { own: string; others: readonly string[] }
export type Rooms = Awaited<ReturnType<typeof openRooms>>

/** Keys, store and ledger: what the other rooms stand on, and all that an export needs. */
/** @param accept see `openLedger` */
export async function openFoundations(settings: StoreSettings, log: Logger, accept?: AcceptedHistory) {
  const { home } = settings
  finishRestore(home)
  const keys = loadKeys(join(home, 'keys'))
  const outside = outsideOf(settings)
  const signing = await openSigner(settings)
  const extension = ledgerExtension({ outside })
  const store = await openStore(settings, extension, log)
  const clock = systemClock
  try {
    const feed = createEventFeed(await openLedger({ store, keys, ...signing, clock, log, outside, ...(accept ? { accept } : {}) }))
    const erasure = await eraseIn(home, { store, ledger: feed.ledger, clock, log })
    return { keys, store, clock, feed, erasure }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** @throws Fault of the first room that can't be opened, with everything opened before it closed again. */
export async function openRooms(settings: EffectiveSettings, origins: Origins, log: Logger) {
  const { keys, store, clock, feed, erasure } = await openFoundations(settings, log)
  const { ledger } = feed
  const closers: (() => Promise<unknown> | void)[] = [() => store.close(), () => ledger.close(), () => erasure.close()]
  const close = async () => {
    const failures: unknown[] = []
    // A room that can't write its last word, on a full disk, must not keep the others and the process open.
    for (const closer of closers.toReversed()) await Promise.try(closer).catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
  }
  try {
    const replicas = await joinReplicas({ store, feed, log })
    const registry = await openRegistry({ store, ledger, clock })
    const vault = await openVault({ store, ledger, clock, kek: keys.kek })
    const isAgent = (id: string) => registry.agent(id)?.state === 'active'
    const identity = await openIdentity({ store, ledger, keys, clock, origin: origins.own, origins: origins.others, isAgent, log })
    await keepNamesErased({ store, ledger, log, identity, registry, erasure })
    const policy = await openPolicy({
      folder: settings.policyFolder,
      world: worldOf({ registry, identity }),
      store,
      ledger,
      key: keys.policy,
      log,
      clock,
    })
    closers.push(() => policy.close())
    const applications = await openApplications({ folder: settings.applicationsFolder, ledger, log })
    closers.push(() => applications.close())
    const followWorld = () => {
      const failed = (error: unknown) => log.error({ err: error }, 'the policies could not follow the registry')
      policy.setWorld(worldOf({ registry, identity })).catch(failed)
    }
    registry.on(followWorld)
    identity.on(followWorld)
    const runTests = (files: PolicyFiles) => reportTests(files, confine)
    const driftEveryMs = settings.backtests.driftEvery
    const backtests = await openBacktests({ store, ledger, policy, clock, log, driftEveryMs })
    closers.push(() => backtests.close())
    const search = await openSearch({ store, log, reasons: openReasons(store) })
    closers.push(() => search.close())
    const thresholds = openThresholds({ ledger, policy, clock })
    const backtestOf = async (version: string) => {
      const run = await backtests.ofVersion(version)
      return run && backtestView(run)
    }
    const rollouts = await openRollouts({ store, ledger, policy, clock, log, people: () => identity.people(), runTests, backtestOf })
    closers.push(() => rollouts.close())
    const inGroup = (person: string, group: string) => identity.person(person)?.groups.includes(group) === true
    const approvals = openApprovals({ store, ledger, clock, log, inGroup })
    closers.push(() => approvals.close())
    const budgets = openBudgets({ store, clock, log })
    closers.push(() => budgets.close())
    const witnessing = await openWitnessing({ store, ledger, clock, log, settings })
    closers.push(() => witnessing.close())
    const broker = createBroker({
      witnesses: witnessing.witnesses,
      store,
      ledger,
      identity,
      registry,
      policy,
      approvals,
      budgets,
      clock,
      log,
      settings: {
        timeoutMs: settings.calls.timeout,
        outcomeDeadlineMs: settings.calls.outcomeDeadline,
        approvalTtlMs: settings.approvals.ttl,
        approvalWaitMs: settings.approvals.wait,
      },
    })
    closers.push(() => broker.close())
    closers.push(replicas.follow([registry, vault, identity, policy, approvals, broker]))
    const upstreams = openUpstreams({ registry, vault, log, version: VERSION, limits: { maxMessageBytes: settings.limits.resultBytes } })
    closers.push(() => upstreams.close())
    const outward = openOutward({ store, feed, vault, clock, log, settings })
    closers.push(() => outward.close())
    const gateway = createGateway({
      identity,
      broker,
      approvals,
      ledger,
      registry,
      policy,
      upstreams,
      clock,
      log,
      settings: {
        allowedHosts: hostsOf(settings),
        maxBodyBytes: settings.limits.bodyBytes,
        maxBodyDepth: settings.limits.bodyDepth,
        sessionIdleMs: settings.mcp.sessionIdle,
        plainNames: settings.mcp.plainNames,
      },
    })
    return {
      keys,
      store,
      clock,
      feed,
      ledger,
      erasure,
      registry,
      vault,
      identity,
      policy,
      applications,
      rollouts,
      backtests,
      search,
      thresholds,
      approvals,
      budgets,
      broker,
      witnessing,
      upstreams,
      gateway,
      outward,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function hostsOf({ allowedHosts, publicUrl, host }: Settings): string[] {
  return [...allowedHosts, host, ...(publicUrl === undefined ? [] : [new URL(publicUrl).hostname])]
}

/** The paths of a call that its server's folders confine, as the broker has them. */
function confinedPaths(registry: Rooms['registry'], call: { server: string; action: string; input: JsonObject }) {
  const { folders = [] } = registry.server(call.server) ?? {}
  const { paths = [] } = registry.tool(call.server, call.action.slice(call.server.length + 1)) ?? {}
  return folders.length > 0 && paths.length > 0 ? confine(folders, call.input, paths) : undefined
}

/** Who a proxy's credential stands for. @throws Fault UNAUTHENTICATED, FORBIDDEN */
export async function identifyAgent({ identity }: Rooms, bearer: string): Promise<AgentPrincipal> {
  const who = await identity.identify(bearer)
  if (who.kind !== 'agent') throw new Fault('FORBIDDEN', 'a proxy asks with a credential of its own, not with a person’s')
  return who
}

/** @returns the HTTP server with everything on it, and what ends its long-lived streams. */
export function buildApp(
  rooms: Rooms,
  settings: Settings,
  origins: Origins,
  log: Logger,
): { app: FastifyInstance; endStreams: () => void } {
  const { identity, registry, vault, upstreams, feed } = rooms
  const { authenticate } = identity
  const app = createApp({ log, hosts: settings, limits: settings.limits })
  rememberAnswers(app, { store: rooms.store, kek: rooms.keys.kek, clock: rooms.clock, authenticate })
  mountIdentity(app, identity)
  mountRegistry(app, registry, {
    authenticate,
    inspect: (server) => upstreams.inspect(server),
    intake: async (name, value, by) => void (await vault.put(name, value, by)),
  })
  mountVault(app, vault, authenticate)
  mountPolicy(app, rooms.policy, authenticate)
  mountRollouts(app, rooms.rollouts, rooms.policy, authenticate)
  mountBacktests(app, rooms.backtests, rooms.policy, authenticate)
  mountThresholds(app, rooms.thresholds, rooms.clock, authenticate)
  mountPolicyAnalysis(app, rooms.policy, () => identity.people(), authenticate)
  mountPolicyQuestions(app, {
    ...rooms,
    world: () => worldOf(rooms),
    pathsOf: (server, action, input) => confinedPaths(registry, { server, action, input }),
    confine,
    now: () => rooms.clock.now(),
    authenticate,
  })
  mountBudgets(app, { budgets: rooms.budgets, declared: () => declaredBudgets(rooms.policy.charter()), clock: rooms.clock }, authenticate)
  mountApprovals(app, rooms.approvals, authenticate)
  mountBroker(app, rooms.broker, authenticate)
  const isOperator = (id: string) => identity.person(id)?.operator === true
  mountLedger(app, rooms.ledger, authenticate, { isPublic: settings.ledger.public, isOperator })
  mountWitnesses(app, { forks: rooms.ledger.forks, witnesses: rooms.witnessing.witnesses, isOperator }, authenticate)
  serveErasure(app, rooms, log, authenticate)
  serveBackups(app, { ...rooms, home: settings.home, url: settings.store.url }, authenticate)
  serveProjections(app, rooms, authenticate)
  mountSearch(app, rooms.search, authenticate)
  mountExports(app, { ...rooms, exports: openExports(rooms) }, authenticate)
  mountOutward(app, rooms.outward, authenticate)
  mountAuthzen(app, { ...rooms, origin: origins.own }, authenticate)
  mountEnvoy(app, { ...rooms, origin: origins.own }, (bearer) => identifyAgent(rooms, bearer))
  mountGateway(app, rooms.gateway)
  mountHealth(app, rooms)
  mountDescription(app, origins.own)
  mountConsole(app)
  const endStreams = mountEvents(app, { ledger: rooms.ledger, onAppend: (listener) => feed.onAppend(listener), authenticate })
  return { app, endStreams }
}
