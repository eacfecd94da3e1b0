/** Recorded decisions made again: how many a core in a minute, of a real store, beside what opening their records alone takes. */
import { join } from 'node:path'
import type { JsonObject } from '@ephor/engine/kernel'
import { openSealed } from '@ephor/engine/ledger'
import type { SealedEntries } from '@ephor/engine/ledger'
import { digestOfVerdict, openBundle, readAnswer, readQuestion } from '@ephor/engine/policy'
import { callOf, openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { makeReplay } from '../packages/engine/src/backtests/replay.ts'
import { addTally, noTally } from '../packages/engine/src/backtests/rules.ts'
import { printTable } from './measure.ts'

const DECISIONS = 100_000
const CALLERS = 64
const AGENTS = 16
const STRETCH = 500
const ROUNDS = 3

/** A hundred and two, of which some look at the arguments, as policies do. */
const POLICIES = [
  '@id("all") @reason("Fine.") permit (principal is Agent, action in [Action::"read", Action::"write"], resource);',
  `@id("outside") @reason("Not outside.") forbid (principal, action in Action::"tools/call", resource)
   when { context has paths && !context.paths.outside.isEmpty() };`,
  ...Array.from(
    { length: 100 },
    (_, i) => `@id("amount-${i}") @reason("Small amounts.") permit (principal is Agent, action == Action::"box/pay", resource)
      when { context.input has amount && context.input.amount > ${i * 1000} && context.session.calls < ${1_000_000 + i} };`,
  ),
].join('\n')

type Row = { what: string; decisions: number; wallMs: number; cpuMs: number; millionAMinuteACore: number }

/** Permits, denials, payments that many policies look at, and arguments that don't fit. */
function callNumber(world: World, i: number): [string, JsonObject] {
  switch (i % 8) {
    case 0:
      return ['look', { path: '/etc/passwd' }]
    case 1:
      return ['pay', { amount: i, to: `account ${i}` }]
    case 2:
      return ['look', { path: i }]
    case 3:
      return ['note', { text: `note number ${i}` }]
    default:
      return ['look', { path: join(world.folder, `file-${i}.txt`) }]
  }
}

async function fill(world: World): Promise<void> {
  const agents = await Promise.all(Array.from({ length: AGENTS }, (_, i) => world.agent(`bench-${i}`)))
  let next = 0
  const caller = async (id: number) => {
    const { bearer } = agents[id % AGENTS] ?? { bearer: '' }
    for (let i = next++; i < DECISIONS; i = next++) {
      const [name, input] = callNumber(world, i)
      await world.broker.ask(callOf(bearer, name, input, { door: 'api', session: `${i % 500}` }))
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)))
}

/** @returns processor time of all threads too: what is done beside the main thread counts as well */
async function measure(what: string, decisions: number, work: () => Promise<unknown>): Promise<Row> {
  const [started, cpu] = [performance.now(), process.cpuUsage()]
  await work()
  const { user, system } = process.cpuUsage(cpu)
  const [wallMs, cpuMs] = [Math.round(performance.now() - started), Math.round((user + system) / 1000)]
  return { what, decisions, wallMs, cpuMs, millionAMinuteACore: Math.round((decisions / cpuMs) * 60_000) / 1e6 }
}

async function best(what: string, decisions: number, work: () => Promise<unknown>): Promise<Row> {
  const rows: Row[] = []
  for (let round = 0; round < ROUNDS; round++) rows.push(await measure(what, decisions, work))
  return rows.reduce((a, b) => (a.cpuMs <= b.cpuMs ? a : b))
}

async function readAll({ ledger }: World): Promise<SealedEntries[]> {
  const { size } = await ledger.head()
  const batches: SealedEntries[] = []
  for (let after = -1; ;) {
    const batch = await ledger.sealed({ after, upTo: size - 1, limit: STRETCH, ids: 'dec', names: ['input', 'facts'] })
    if (batch.last === undefined) return batches
    batches.push(batch)
    after = batch.last
  }
}

async function decode(batches: SealedEntries[]) {
  return batches.flatMap(({ entries, keys }) =>
    entries.map((entry) => {
      const record = openSealed(entry, keys)
      const facts = record.payload('facts')
      const question = readQuestion(record.body, record.payload('input'), facts)
      if (!question) throw new Error('the bench expected a question')
      return { question, answer: readAnswer(facts) }
    }),
  )
}

export async function benchBacktest() {
  const world = await openWorld({ policies: { 'bench.cedar': POLICIES } })
  const filled = await measure('filling the store: durable decisions', DECISIONS, () => fill(world))
  const source = { files: (version: string) => world.policy.bundle(version), world: (digest: string) => world.policy.world(digest) }
  let batches: SealedEntries[] = []
  const read = await best('reading the rows', DECISIONS, async () => (batches = await readAll(world)))
  const opened = await best('floor: hash, decrypt, check and parse each record', DECISIONS, async () => {
    for (const { entries, keys } of batches)
      for (const entry of entries) {
        const record = openSealed(entry, keys)
        record.payload('input')
        record.payload('facts')
      }
  })
  const questions = await decode(batches)
  const bundle = await openBundle(world.policy.active().files, world.policy.worldNow())
  const pure = await best('deciding alone: questions that were opened before, answers compared', DECISIONS, async () => {
    for (const { question, answer } of questions) {
      const decision = bundle.decide(question)
      if (digestOfVerdict(decision) !== answer) throw new Error('the bench expected no drift')
    }
  })
  questions.length = 0
  const tally = noTally()
  const replayed = await best('the same, and each decision made again and compared', DECISIONS, async () => {
    const replay = makeReplay({ kind: 'drift' }, source)
    for (const batch of batches) addTally(tally, await replay(batch, Infinity))
  })
  if (tally.same !== ROUNDS * DECISIONS)
    throw new Error(`the bench expected no drift: ${JSON.stringify({ ...tally, changed: tally.changed[0] })}`)
  batches = []
  const whole = await measure('all of it: a check for drift, read, posted to a thread and replayed there', DECISIONS, async () => {
    const { id } = await world.backtests.checkDrift('system')
    await world.backtests.idle()
    if ((await world.backtests.show(id)).tally.same !== DECISIONS) throw new Error('the bench expected no drift')
  })
  await world.close()
  const rows = [filled, read, opened, pure, replayed, whole]
  printTable('Decisions made again', rows)
  return { rows }
}
