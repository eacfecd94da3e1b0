/** How soon what is changed on one replica holds on another, both on one PostgreSQL: a stopped agent, a new agent, a decided approval, policies. */
import { cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { freshDatabase, postgresAnswers } from '../packages/engine/src/kernel/test-store.ts'
import { printTable } from './measure.ts'

const ROUNDS = 20

type Asked = { kind?: string; fault?: string; approval?: { id: string } }

function figures(times: readonly number[]) {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (p: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN)
  return { rounds: sorted.length, p50Ms: at(0.5), maxMs: at(1) }
}

async function ask(ephor: EphorProcess, credential: string, tool: string, input: object, approval?: string) {
  const response = await fetch(`${ephor.url}/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tool, input, ...(approval === undefined ? {} : { approval }) }),
  })
  return { status: response.status, answer: (await response.json()) as Asked }
}

/** From now until it holds, ms. */
async function until(holds: () => Promise<boolean>): Promise<number> {
  const started = performance.now()
  while (!(await holds())) {
    if (performance.now() - started > 30_000) throw new Error('it never came to hold')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return performance.now() - started
}

async function measure(one: EphorProcess, two: EphorProcess) {
  const file = join(one.home, 'scratch', 'welcome.txt')
  const read = (ephor: EphorProcess, credential: string) => ask(ephor, credential, 'files/read_text_file', { path: file })
  const times = { registered: [] as number[], revoked: [] as number[], approved: [] as number[], policy: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    const { id, credential } = await one.addAgent(`round-${round}`)
    times.registered.push(await until(async () => (await read(two, credential)).status === 200))

    const move = { source: file, destination: `${file}.${round}` }
    const held = (await ask(one, credential, 'files/move_file', move)).answer.approval?.id ?? ''
    const { digest } = await one.operator.showApproval({ params: { id: held } })
    // The call is repeated on the other replica, and waits there for the decision.
    const repeated = ask(two, credential, 'files/move_file', move, held).then(({ answer }) => ({ answer, at: performance.now() }))
    await new Promise((resolve) => setTimeout(resolve, 300))
    await one.operator.decideApproval({ params: { id: held }, body: { verdict: 'approve', digest } })
    const decided = performance.now()
    const { answer, at } = await repeated
    if (answer.kind !== 'permitted') throw new Error(`the repeated call was not permitted: ${JSON.stringify(answer)}`)
    times.approved.push(Math.max(0, at - decided))

    const { items } = await one.operator.listCredentials({ params: { id } })
    await one.operator.revokeCredential({ params: { id: items[0]?.id ?? '' } })
    times.revoked.push(await until(async () => (await read(two, credential)).status === 401))
  }
  const { credential } = await one.addAgent('policies')
  await until(async () => (await read(two, credential)).status === 200)
  for (let round = 0; round < ROUNDS / 2; round++) {
    const policy = join(one.home, 'policies', 'frozen.cedar')
    for (const frozen of [true, false]) {
      const rule = `@id("frozen")\n@reason("Round ${round}.")\nforbid (principal, action in Action::"read", resource);\n`
      if (frozen) writeFileSync(policy, rule)
      else rmSync(policy)
      const holds = (ephor: EphorProcess) => async () => ((await read(ephor, credential)).answer.fault === 'POLICY_DENIED') === frozen
      await until(holds(one))
      times.policy.push(await until(holds(two)))
    }
  }
  return times
}

export async function benchReplicas() {
  if (!(await postgresAnswers())) throw new Error('no PostgreSQL answers: set EPHOR_TEST_POSTGRES')
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-bench-')))
  const database = await freshDatabase()
  const environment = { EPHOR_STORE_URL: database.url }
  const [first, second] = [join(folder, 'one'), join(folder, 'two')]
  const one = await startEphor({ home: first, environment })
  for (const shared of ['keys', 'policies']) cpSync(join(first, shared), join(second, shared), { recursive: true })
  const two = await startEphor({ home: second, environment })
  try {
    const times = await measure(one, two)
    const rows = Object.entries(times).map(([what, each]) => ({ what, ...figures(each) }))
    printTable('From the answer of one replica until the change holds on another, ms', rows)
    return { rows }
  } finally {
    await Promise.all([one.stop(), two.stop()])
    await database.drop()
    rmSync(folder, { recursive: true, force: true })
  }
}
