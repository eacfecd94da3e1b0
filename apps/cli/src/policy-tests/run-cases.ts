/** Runs the cases of one file through the policy room: the same checks and decisions as in a running Ephor. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { makeLog, openSqlite, systemClock } from '@ephor/engine/kernel'
import { openPolicy, policyMigrations } from '@ephor/engine/policy'
import type { Decision, Policy, PolicyRequest, PolicyWorld } from '@ephor/engine/policy'
import { confine } from '@ephor/engine/registry'
import type { CaseFile, TestCase, TestWorld } from './case-file.ts'

export type CaseResult = { name: string; ok: boolean; expected: string; got: string; reasons: readonly { policy: string; text: string }[] }

/** Stands for a registered agent in the policies' world. */
const idOf = (name: string) => `agt_${name}`

function worldOf({ agents, servers, tools }: TestWorld): PolicyWorld {
  return {
    agents: agents.map((agent) => ({ ...agent, id: idOf(agent.name) })),
    servers,
    tools: tools.map(({ tool, kind, risk, input }) => ({ ...divide(tool), kind, risk, inputSchema: input })),
  }
}

function divide(tool: string): { server: string; name: string } {
  const slash = tool.indexOf('/')
  return { server: tool.slice(0, slash), name: tool.slice(slash + 1) }
}

/** @throws Fault POLICY_INVALID when the case names nothing that its world has. */
function requestOf(world: TestWorld, { name, who, what, server: named, input, at }: TestCase): PolicyRequest {
  const unknown = (thing: string) => new Fault('POLICY_INVALID', `the case "${name}" names ${thing}, which its world does not have`)
  const tool = world.tools.find((candidate) => candidate.tool === what)
  const server = world.servers.find((candidate) => candidate.name === (named ?? (tool ? divide(what).server : undefined)))
  if (!server) throw unknown(tool ? `the server of ${what}` : `${what} on ${named ?? 'no server'}`)
  const asServer = who.startsWith('server:')
  if (!asServer && !world.agents.some((agent) => agent.name === who)) throw unknown(`the agent ${who}`)
  const confined = tool !== undefined && server.folders.length > 0 && tool.paths.length > 0
  return {
    principal: asServer ? { type: 'ToolServer', id: who.slice('server:'.length) } : { type: 'Agent', id: idOf(who) },
    action: what,
    server: server.name,
    input,
    facts: {
      door: 'mcp',
      ...(confined ? { paths: confine(server.folders, input, tool.paths) } : {}),
      ...(typeof input['uri'] === 'string' ? { uri: input['uri'] } : {}),
      approvals: [],
      now: at === undefined ? Date.now() : Date.parse(at),
    },
  }
}

/** As the broker does after a vote: the same question again, with the approval. */
async function decide(policy: Policy, request: PolicyRequest, approved: boolean): Promise<Decision> {
  const decision = await policy.decide(request)
  if (decision.effect !== 'hold' || !approved) return decision
  const approvals = [{ id: 'apr_test', by: ['per_test'], policies: decision.asks.map(({ policy: id }) => id) }]
  return policy.decide({ ...request, facts: { ...request.facts, approvals } })
}

async function runCase(policy: Policy, world: TestWorld, test: TestCase): Promise<CaseResult> {
  const decision = await decide(policy, requestOf(world, test), test.approved)
  const { reason } = test
  const hasReason =
    reason === undefined ||
    decision.reasons.some(({ policy: id, text }) => id === reason || id.endsWith(`/${reason}`) || text.includes(reason)) ||
    (decision.effect === 'deny' && decision.fault === reason)
  const got = decision.effect === 'deny' ? `deny (${decision.fault})` : decision.effect
  const because = decision.reasons.map(({ policy: id }) => id).join(', ')
  return {
    name: test.name,
    ok: decision.effect === test.expect && hasReason,
    expected: reason === undefined ? test.expect : `${test.expect} because of ${reason}`,
    got: because === '' ? got : `${got} because of ${because}`,
    reasons: decision.reasons,
  }
}

/** @throws Fault POLICY_INVALID when the policies of the folder can't become active in the world of the file. */
export async function runCases(folder: string, { world, cases }: CaseFile): Promise<CaseResult[]> {
  const temporary = mkdtempSync(join(tmpdir(), 'ephor-policy-test-'))
  const store = await openSqlite({ file: join(temporary, 'store.db'), migrations: [policyMigrations] })
  // What the tests decide is no evidence: row changes are kept for the room itself, entries are not.
  const ledger = {
    append: async ({ changes }: { changes: Parameters<typeof store.commit>[0]['changes'] }) => {
      await store.commit({ changes })
      return []
    },
    find: async () => undefined,
  }
  try {
    const log = makeLog('silent')
    const policy = await openPolicy({
      folder,
      world: worldOf(world),
      store,
      ledger,
      key: generateKeyPairSync('ed25519').privateKey,
      log,
      clock: systemClock,
      pollMs: 60_000,
    })
    try {
      const refused = policy.active().refused?.findings.find(({ severity }) => severity === 'error')
      if (refused) {
        const where = `${refused.file}:${refused.line}:${refused.column}`
        throw new Fault('POLICY_INVALID', `${where}: ${refused.message}`, { where })
      }
      const results: CaseResult[] = []
      for (const test of cases) results.push(await runCase(policy, world, test))
      return results
    } finally {
      await policy.close()
    }
  } finally {
    await store.close()
    rmSync(temporary, { recursive: true, force: true })
  }
}
