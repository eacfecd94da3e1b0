/** Durable decisions a second and their latency at 1, 64 and 512 callers, beside what fdatasync allows in the same run. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { callOf, openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { fdatasyncFloor } from './fdatasync-floor.ts'
import { threadFloor } from './wake-floor.ts'
import { closedLoop, printTable } from './measure.ts'
import type { Figures } from './measure.ts'

const CALLERS = [1, 64, 512]
const DURATION = { warmupMs: 1500, ms: 5000 }

/** Permits that depend on an argument, so that no two calls of the bench are the same question. */
const DISTINCT = Array.from({ length: 100 }, (_, i) =>
  [
    `@id("amount-${i}")`,
    '@reason("small amounts")',
    `permit (principal is Agent, action == Action::"box/pay", resource) when { context.input has amount && context.input.amount > ${i * 1000} };`,
  ].join('\n'),
).join('\n')

type Once = (caller: number, turn: number) => Promise<unknown>

async function agentsOf(world: World) {
  return Promise.all(Array.from({ length: 32 }, (_, i) => world.agent(`bench-${i}`)))
}

function expectKind(answer: { kind: string }, kind: string): void {
  if (answer.kind !== kind) throw new Error(`the bench expected ${kind}: ${JSON.stringify(answer)}`)
}

async function measure(
  label: string,
  policies: Record<string, string> | undefined,
  callers: readonly number[],
  make: (world: World, bearers: string[]) => Once,
) {
  const world = await openWorld(policies ? { policies } : {})
  for (let i = 0; i < 32; i++) writeFileSync(fileOf(world, i), 'a file\n')
  const bearers = (await agentsOf(world)).map(({ bearer }) => bearer)
  const once = make(world, bearers)
  const rows: ({ what: string; callers: number } & Figures)[] = []
  for (const count of callers) rows.push({ what: label, callers: count, ...(await closedLoop(count, DURATION, once)) })
  await world.close()
  return rows
}

/** Files that exist, as an agent would read them. */
function fileOf(world: World, caller: number): string {
  return join(world.folder, `file-${caller % 32}.txt`)
}

const bearerOf = (bearers: string[], caller: number) => bearers[caller % bearers.length] ?? ''

export async function benchDecisions() {
  const rows: ({ what: string; callers: number } & Figures)[] = []
  for (const callers of CALLERS) rows.push({ what: 'floor: 1.5 KB row, fdatasync', callers, ...(await fdatasyncFloor(callers, DURATION)) })

  rows.push({ what: 'floor: a message to a thread and back', callers: 1, ...(await threadFloor()) })

  rows.push(
    ...(await measure('decision: identify to durable permit', undefined, CALLERS, (world, bearers) => async (caller) => {
      expectKind(await world.broker.ask(callOf(bearerOf(bearers, caller), 'look', { path: fileOf(world, caller) })), 'permitted')
    })),
    ...(await measure(
      'decision for an enforcement point: the same, with a signed warrant',
      undefined,
      CALLERS,
      (world, bearers) => async (caller) => {
        const path = fileOf(world, caller)
        expectKind(
          await world.broker.ask(callOf(bearerOf(bearers, caller), 'look', { path }, { door: 'api', session: String(caller) })),
          'permitted',
        )
      },
    )),
    ...(await measure('call: decision, run, outcome (two entries)', undefined, CALLERS, (world, bearers) => async (caller) => {
      const path = fileOf(world, caller)
      expectKind(
        await world.broker.perform(callOf(bearerOf(bearers, caller), 'look', { path }), async () => ({ isError: false, value: 'ok' })),
        'done',
      )
    })),
    ...(await measure(
      'decision, every question new (100 policies, Cedar evaluated each time)',
      { 'distinct.cedar': DISTINCT },
      [1, 64],
      (world, bearers) => async (caller, turn) => {
        const amount = 1 + caller * 1_000_003 + turn
        expectKind(await world.broker.ask(callOf(bearerOf(bearers, caller), 'pay', { amount, to: 'x' }, { door: 'api' })), 'permitted')
      },
    )),
  )
  printTable('Durable decisions', rows)
  return { rows }
}
