/** A world to test in: every room up to the broker, real store and real policies, in a folder of its own, with a clock that the test holds. */
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentPrincipal, PersonPrincipal } from '@ephor/contract'
import { makeId } from '@ephor/contract'
import { approvalsMigrations, openApprovals } from '@ephor/engine/approvals'
import { backtestsMigrations, openBacktests } from '@ephor/engine/backtests'
import { brokerMigrations, createBroker, worldOf } from '@ephor/engine/broker'
import type { BrokerSettings, Call } from '@ephor/engine/broker'
import { budgetsMigrations, openBudgets } from '@ephor/engine/budgets'
import { identityMigrations, openIdentity } from '@ephor/engine/identity'
import { freshBytes, loadKeys, makeLog } from '@ephor/engine/kernel'
import type { Clock, JsonObject } from '@ephor/engine/kernel'
import { openTestStore } from '@ephor/engine/kernel/testing'
import { fileSigner, ledgerExtension, ledgerMigrations, openLedger, openWitnesses } from '@ephor/engine/ledger'
import type { Witness } from '@ephor/engine/ledger'
import { openPolicy, policyMigrations } from '@ephor/engine/policy'
import { openRegistry, registryMigrations } from '@ephor/engine/registry'
import type { Registry, ToolKind } from '@ephor/engine/registry'
import { openRollouts, rolloutsMigrations } from '@ephor/engine/rollouts'
import type { RolloutsOptions } from '@ephor/engine/rollouts'

const ORIGIN = 'http://127.0.0.1:7373'

export type TestClock = Clock & { advance(ms: number): void }

/** Real time plus what the test added. */
function testClock(): TestClock {
  let ahead = 0
  const now = () => Date.now() + ahead
  return { now, id: (prefix) => makeId(prefix, now(), freshBytes(10)), advance: (ms) => void (ahead += ms) }
}

/** One tool of the world's server, with the kind that the operator confirmed. */
export type WorldTool = { name: string; kind: ToolKind; paths?: string[]; properties?: JsonObject }

export const WORLD_TOOLS: WorldTool[] = [
  { name: 'look', kind: 'read', paths: ['/path'], properties: { path: { type: 'string' } } },
  { name: 'note', kind: 'write', properties: { text: { type: 'string' } } },
  { name: 'wipe', kind: 'destructive', properties: { what: { type: 'string' } } },
  { name: 'pay', kind: 'money', properties: { amount: { type: 'integer' }, to: { type: 'string' } } },
]

export function definitionOf(
  { name, properties = {} }: WorldTool,
  description = `does ${name}`,
): JsonObject & { name: string; inputSchema: JsonObject } {
  return { name, description, inputSchema: { type: 'object', properties } }
}

export type WorldOptions = {
  /** Policy texts by file name; the default pack unless given. */
  policies?: Record<string, string>
  tools?: WorldTool[]
  settings?: Partial<BrokerSettings>
  runTests?: RolloutsOptions['runTests']
  driftEveryMs?: number
  /** Who cosigns the ledger; all of them have to. */
  witnesses?: readonly Witness[]
  /** A data folder to open again; a new one unless given. */
  home?: string
}

async function openBase(home: string, clock: Clock) {
  const log = makeLog('silent')
  const keys = loadKeys(join(home, 'keys'))
  const outside = join(home, 'checkpoint')
  const store = await openTestStore({
    folder: home,
    migrations: [
      ledgerMigrations,
      identityMigrations,
      registryMigrations,
      policyMigrations,
      budgetsMigrations,
      approvalsMigrations,
      rolloutsMigrations,
      backtestsMigrations,
      brokerMigrations,
    ],
    extension: ledgerExtension({ outside }),
  })
  const ledger = await openLedger({ store, keys, signer: fileSigner(keys.ledger), origin: 'test.example/world', clock, log, outside })
  return { log, keys, store, ledger }
}

function writePolicies(folder: string, policies: WorldOptions['policies']): void {
  mkdirSync(folder, { recursive: true })
  if (policies) for (const [name, text] of Object.entries(policies)) writeFileSync(join(folder, name), text)
  else
    cpSync(join(import.meta.dirname, '../../../policies'), folder, {
      recursive: true,
      filter: (path) => !/\.[a-z]+$/.test(path) || path.endsWith('.cedar'),
    })
}

/** The server `box`, accepted, with the world's tools in it; and a folder that its paths are confined to. */
async function furnish(registry: Registry, tools: WorldTool[], folder: string): Promise<void> {
  if (registry.server('box')) return
  await registry.proposeServer(
    { name: 'box', transport: { type: 'stdio', command: 'box', args: [], env: {} }, folders: [folder] },
    'system',
  )
  await registry.observeTools(
    'box',
    tools.map((tool) => definitionOf(tool)),
  )
  const kinds = Object.fromEntries(tools.map(({ name, kind, paths = [] }) => [name, { kind, paths }]))
  await registry.acceptServer('box', { tools: kinds }, 'system')
}

export type World = Awaited<ReturnType<typeof openWorld>>

export async function openWorld(options: WorldOptions = {}) {
  const home = options.home ?? realpathSync(mkdtempSync(join(tmpdir(), 'ephor-world-')))
  const folder = join(home, 'box')
  mkdirSync(folder, { recursive: true })
  const clock = testClock()
  const { log, keys, store, ledger } = await openBase(home, clock)
  const registry = await openRegistry({ store, ledger, clock })
  await furnish(registry, options.tools ?? WORLD_TOOLS, folder)
  const identity = await openIdentity({
    store,
    ledger,
    keys,
    clock,
    origin: ORIGIN,
    isAgent: (id) => registry.agent(id)?.state === 'active',
  })
  const policyFolder = join(home, 'policies')
  if (options.home === undefined) writePolicies(policyFolder, options.policies)
  const policy = await openPolicy({
    folder: policyFolder,
    world: worldOf({ registry, identity }),
    store,
    ledger,
    key: keys.policy,
    log,
    clock,
  })
  const { runTests } = options
  const people = () => identity.people()
  const rollouts = await openRollouts({ store, ledger, policy, clock, log, people, ...(runTests ? { runTests } : {}) })
  const backtests = await openBacktests({ store, ledger, policy, clock, log, driftEveryMs: options.driftEveryMs ?? 0 })
  const approvals = openApprovals({
    store,
    ledger,
    clock,
    log,
    inGroup: (person, group) => identity.person(person)?.groups.includes(group) === true,
  })
  const settings = { timeoutMs: 5000, outcomeDeadlineMs: 60_000, approvalTtlMs: 900_000, approvalWaitMs: 20, ...options.settings }
  const budgets = openBudgets({ store, clock, log })
  const witnesses = await openWitnesses({
    store,
    ledger,
    witnesses: options.witnesses ?? [],
    quorum: options.witnesses?.length ?? 0,
    deadlineMs: 60_000,
    pauseMs: 20,
    clock,
    log,
  })
  const broker = createBroker({ witnesses, store, ledger, identity, registry, policy, approvals, budgets, clock, log, settings })
  const person: PersonPrincipal = { kind: 'person', id: identity.operator, session: 'test' }

  const world = {
    home,
    folder,
    clock,
    log,
    keys,
    store,
    ledger,
    registry,
    identity,
    policy,
    policyFolder,
    rollouts,
    backtests,
    approvals,
    budgets,
    witnesses,
    broker,
    person,
    /** Tells policy what the registry holds now. */
    async refresh() {
      await policy.setWorld(worldOf({ registry, identity }))
    },
    /** A registered agent with a local credential. */
    async agent(name = 'tester') {
      const { id } = await registry.registerAgent({ name, owner: identity.operator, purpose: 'tests' }, identity.operator)
      await world.refresh()
      const credential = await identity.issueCredential(id, identity.operator)
      const principal: AgentPrincipal = { kind: 'agent', id, credential: credential.id }
      return { id, bearer: credential.secret, credential: credential.id, principal }
    },
    /** Stops everything; with `keep`, the folder can be opened again. */
    async close({ keep = false } = {}) {
      broker.close()
      witnesses.close()
      budgets.close()
      approvals.close()
      await backtests.close()
      await rollouts.close()
      await policy.close()
      await ledger.close()
      await store.close()
      if (!keep) rmSync(home, { recursive: true, force: true })
    },
  }
  return world
}

/** A call of a tool in the world's server. */
export function callOf(bearer: string, name: string, input: JsonObject = {}, more: Partial<Call> = {}): Call {
  return {
    door: 'mcp',
    bearer,
    method: 'tools/call',
    server: 'box',
    name,
    input,
    session: 's1',
    signal: new AbortController().signal,
    ...more,
  }
}
