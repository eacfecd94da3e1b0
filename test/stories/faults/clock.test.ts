/** A clock that jumps, as after a wrong NTP server or a resumed machine: the order of the ledger is not the clock's, and what ran out stays out. */
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { signOperatorAssertion } from '@ephor/engine/identity'
import { verifyLog } from '@ephor/proof'
import type { Verdict } from '@ephor/proof'
import { callOf, openWorld } from '@ephor/testkit'
import type { World } from '@ephor/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectWhole } from './ledger-world.ts'
import { runAppender } from './run-appender.ts'

const [HOUR, DAY] = [3_600_000, 86_400_000]
const LIBRARY = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map((machine) => `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path))

test(
  'set back by two days and forward by three while it appends, a process loses nothing and repeats nothing',
  { timeout: 30_000 },
  async ({ skip }) => {
    if (LIBRARY === undefined) skip('needs libfaketime (Debian: apt-get install faketime)')
    const home = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-clock-')))
    const file = join(home, 'clock')
    writeFileSync(file, '+0\n')
    const appender = runAppender({ home }, 'clock', {
      LD_PRELOAD: LIBRARY ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      // Timers go by the other clock, which no one sets.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    })
    for (const [i, jump] of ['+0', '-2d', '+3d', '-10m', '+0'].entries()) {
      writeFileSync(file, `${jump}\n`)
      await appender.reached(80 * (i + 1))
      // Long enough for a checkpoint in this time.
      await sleep(1200)
    }
    await appender.kill()
    const times = appender.acknowledged.map(({ at }) => at)
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(4 * DAY)
    expect(times.some((at, i) => at < (times[i - 1] ?? 0) - DAY)).toBe(true)
    await expectWhole({ home }, appender.acknowledged)
    rmSync(home, { recursive: true })
  },
)

async function verdictOf({ home, ledger }: World): Promise<Verdict> {
  const folder = join(home, 'export')
  await ledger.exportTo(folder)
  const read = (path: string) => Promise.resolve(existsSync(join(folder, path)) ? readFileSync(join(folder, path)) : undefined)
  return verifyLog({ read }, { vkey: ledger.verifierKey })
}

describe('in the broker', () => {
  let world: World
  let agent: Awaited<ReturnType<World['agent']>>
  let ran = 0
  beforeEach(async () => {
    world = await openWorld()
    agent = await world.agent()
    ran = 0
  })
  afterEach(async () => {
    const verdict = await verdictOf(world)
    await world.close()
    if (!verdict.ok) throw new Error(`the ledger does not verify: ${JSON.stringify(verdict)}`)
  })

  const perform = (name: string, input: Parameters<typeof callOf>[2], more: Parameters<typeof callOf>[3] = {}) =>
    world.broker.perform(callOf(agent.bearer, name, input, more), () => {
      ran++
      return Promise.resolve({ isError: false, value: 'done' })
    })
  async function hold(what: string): Promise<string> {
    const held = await perform('wipe', { what })
    if (held.kind !== 'held') throw new Error(`it was not held: ${held.kind}`)
    return held.approval.id
  }
  const approve = async (id: string) =>
    world.approvals.decide(id, world.person, { verdict: 'approve', digest: (await world.approvals.find(id))?.digest ?? '' })

  test('an approval that was ended for its age stays so when the clock is set back', async () => {
    const id = await hold('late')
    await approve(id)
    world.clock.advance(HOUR)
    // As it does by itself every few seconds.
    await world.approvals.sweep(world.clock.now())
    expect(await perform('wipe', { what: 'late' }, { approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_EXPIRED' })
    world.clock.advance(-HOUR)
    expect(await perform('wipe', { what: 'late' }, { approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_EXPIRED' })
    expect(ran).toBe(0)
  })

  test('a question that was ended unanswered can’t be answered when the clock is set back', async () => {
    const id = await hold('unanswered')
    world.clock.advance(HOUR)
    await world.approvals.sweep(world.clock.now())
    expect(await perform('wipe', { what: 'unanswered' }, { approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_EXPIRED' })
    world.clock.advance(-HOUR)
    await expect(approve(id)).rejects.toMatchObject({ code: 'APPROVAL_EXPIRED' })
  })

  test('an approval given before the clock was set back serves once, and not again', async () => {
    const id = await hold('once')
    await approve(id)
    world.clock.advance(-2 * DAY)
    expect(await perform('wipe', { what: 'once' }, { approval: id })).toMatchObject({ kind: 'done' })
    expect(await perform('wipe', { what: 'once' }, { approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_SPENT' })
    world.clock.advance(2 * DAY)
    expect(await perform('wipe', { what: 'once' }, { approval: id })).toMatchObject({ kind: 'refused', fault: 'APPROVAL_SPENT' })
    expect(ran).toBe(1)
  })

  test('calls go on in both directions, each recorded behind the one before', async () => {
    const places: number[] = []
    for (const jump of [0, -DAY, 2 * DAY, -HOUR, -365 * DAY, 365 * DAY]) {
      world.clock.advance(jump)
      const done = await perform('look', { path: join(world.folder, 'a') })
      expect(done.kind).toBe('done')
      places.push((await world.ledger.find(done.decision))?.seq ?? -1)
    }
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(new Set(places).size).toBe(places.length)
  })

  test('a signature for one minute is good in that minute alone, whatever way the clock went', async () => {
    const bearer = await signOperatorAssertion(world.keys.operator, world.clock.now())
    const identify = () =>
      world.identity.identify(bearer).then(
        ({ kind }) => kind,
        (error: { code: string }) => error.code,
      )
    world.clock.advance(HOUR)
    expect(await identify()).toBe('TOKEN_EXPIRED')
    world.clock.advance(-2 * HOUR)
    expect(await identify()).toBe('UNAUTHENTICATED')
    world.clock.advance(HOUR)
    expect(await identify()).toBe('person')
  })
})
