/** One decision in each policy engine, at 10 to 5,000 policies: all in one run, taking turns, so that they share the machine's moods. */
import { loadavg } from 'node:os'
import { printTable } from '../measure.ts'
import { cedarEngines } from './cedar-engines.ts'
import { otherEngines } from './engines.ts'
import type { Decide } from './engines.ts'
import { makeRequests, makeRules } from './workload.ts'
import type { Request } from './workload.ts'

const SIZES = [10, 100, 1000, 5000]
const TURNS = 12
const TURN_MS = 100
const WARMUP_MS = 400

type Row = {
  policies: number
  engine: string
  p50Us: number
  p99Us: number
  decisions: number
  wrong: number
  timesFloor: number
  timesFasterThanWasm: number
}
type Contender = { name: string; decide: Decide; samples: number[]; next: number; wrong: number }

/** Decides for a while; each decision is measured alone. */
async function takeTurn(contender: Contender, requests: readonly Request[], ms: number, samples: number[]): Promise<void> {
  const { decide } = contender
  for (const end = performance.now() + ms; performance.now() < end;) {
    const request = requests[contender.next++ % requests.length] as Request
    const started = process.hrtime.bigint()
    const answer = decide(request)
    if (answer instanceof Promise) await answer
    samples.push(Number(process.hrtime.bigint() - started))
  }
}

function micros(sorted: readonly number[], p: number): number {
  const nanos = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN
  return Math.round(nanos / 10) / 100
}

async function countWrong(contender: Contender, requests: readonly Request[], right: readonly boolean[]): Promise<number> {
  let wrong = 0
  for (const [i, request] of requests.entries()) if ((await contender.decide(request)) !== right[i]) wrong++
  return wrong
}

async function measureSize(policies: number): Promise<Row[]> {
  const rules = makeRules(policies)
  const requests = makeRequests(rules)
  const contenders: Contender[] = []
  for (const engine of [...otherEngines, ...cedarEngines]) {
    contenders.push({ name: engine.name, decide: await engine.open(rules), samples: [], next: 0, wrong: 0 })
  }
  const [floor] = contenders
  const right = requests.map((request) => floor?.decide(request) === true)
  for (const contender of contenders) contender.wrong = await countWrong(contender, requests, right)
  for (const contender of contenders) await takeTurn(contender, requests, WARMUP_MS, [])
  for (let turn = 0; turn < TURNS; turn++) {
    for (const contender of contenders) await takeTurn(contender, requests, TURN_MS, contender.samples)
  }
  return withRatios(contenders, policies)
}

function withRatios(contenders: readonly Contender[], policies: number): Row[] {
  const rows = contenders.map(({ name, samples, wrong }) => {
    const sorted = samples.toSorted((a, b) => a - b)
    return { policies, engine: name, p50Us: micros(sorted, 0.5), p99Us: micros(sorted, 0.99), decisions: sorted.length, wrong }
  })
  const floor = Math.min(...rows.filter(({ engine }) => engine.startsWith('floor')).map(({ p50Us }) => p50Us))
  const wasm = rows.find(({ engine }) => engine === 'cedar-wasm, stateful')?.p50Us ?? Number.NaN
  const one = (n: number) => Math.round(n * 10) / 10
  return rows.map((row) => ({ ...row, timesFloor: one(row.p50Us / floor), timesFasterThanWasm: one(wasm / row.p50Us) }))
}

/** Our own at all sizes, taking turns too: between two sizes above, the machine may have had other things to do. */
async function measureGrowth(): Promise<{ policies: number; p50Us: number; p99Us: number; timesTheCostOf10: number }[]> {
  const [ours] = cedarEngines
  const all = SIZES.map((policies) => {
    const rules = makeRules(policies)
    return {
      policies,
      requests: makeRequests(rules),
      contender: { name: '', decide: ours.open(rules) as Decide, samples: [] as number[], next: 0, wrong: 0 },
    }
  })
  for (const { contender, requests } of all) await takeTurn(contender, requests, WARMUP_MS, [])
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { contender, requests } of all) await takeTurn(contender, requests, TURN_MS, contender.samples)
  }
  const figures = all.map(({ policies, contender }) => {
    const sorted = contender.samples.toSorted((a, b) => a - b)
    return { policies, p50Us: micros(sorted, 0.5), p99Us: micros(sorted, 0.99) }
  })
  const base = figures[0]?.p50Us ?? Number.NaN
  return figures.map((row) => ({ ...row, timesTheCostOf10: Math.round((row.p50Us / base) * 100) / 100 }))
}

export async function benchPolicy() {
  const growth = await measureGrowth()
  printTable('How the cost of a decision by Ephor grows, microseconds', growth)
  const rows: Row[] = []
  for (const size of SIZES) rows.push(...(await measureSize(size)))
  printTable('Policy engines: one decision, microseconds', rows)
  return { loadAverage: loadavg(), rows, growth }
}
