/** PostgreSQL and replicas that stop, crash and sleep under load: the replicas go on by themselves, nothing acknowledged is lost, nothing is there twice. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectWhole, openWorld } from './ledger-world.ts'
import type { Acknowledged, Place } from './ledger-world.ts'
import { findPostgres, startPostgres } from './postgres-server.ts'
import { runAppender } from './run-appender.ts'
import type { Appender } from './run-appender.ts'

const bin = findPostgres()
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-faults-')))
const WHY = 'needs PostgreSQL (Debian: apt-get install postgresql)'
const PATIENCE = 40_000
let server: Awaited<ReturnType<typeof startPostgres>>
const told: Acknowledged[] = []
let homes = 0

/** Of a replica of its own; the keys are shared. */
function place(): Place {
  const home = join(folder, `replica-${++homes}`)
  mkdirSync(home)
  return { home, keys: folder, url: server.url }
}

beforeAll(async () => {
  if (bin === undefined) return
  chmodSync(folder, 0o755)
  server = await startPostgres(bin, folder)
  // The first makes keys and tables.
  const world = await openWorld(place())
  await world.close()
}, 60_000)
afterAll(async () => {
  if (bin !== undefined) await server.stop('SIGQUIT')
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

async function end(...appenders: Appender[]): Promise<void> {
  for (const appender of appenders) {
    await appender.kill()
    told.push(...appender.acknowledged)
    // A replica that can't reach the database says so, and nothing else.
    expect(appender.refused.filter((code) => code !== 'STORE_UNAVAILABLE')).toEqual([])
  }
}

test.for(['SIGINT', 'SIGKILL'] as const)(
  'PostgreSQL ends by %s and is started again: both replicas go on',
  { timeout: 90_000 },
  async (signal, { skip }) => {
    if (bin === undefined) skip(WHY)
    const replicas = [runAppender(place(), `${signal}-a`), runAppender(place(), `${signal}-b`)]
    await Promise.all(replicas.map((replica) => replica.reached(60, PATIENCE)))
    await server.stop(signal)
    await sleep(300)
    const before = replicas.map(({ acknowledged }) => acknowledged.length)
    await sleep(200)
    // Nobody is told that something is durable where there is nothing to make it so.
    expect(replicas.map(({ acknowledged }) => acknowledged.length)).toEqual(before)
    await server.start()
    await Promise.all(replicas.map((replica, i) => replica.reached((before[i] ?? 0) + 60, PATIENCE)))
    await end(...replicas)
    await expectWhole(place(), told)
  },
)

test('replicas are killed with no warning, again and again', { timeout: 90_000 }, async ({ skip }) => {
  if (bin === undefined) skip(WHY)
  const stays = runAppender(place(), 'stays')
  for (const round of [1, 2]) {
    const victim = runAppender(place(), `victim-${round}`)
    await victim.reached(30 * round, PATIENCE)
    await end(victim)
    await stays.reached(stays.acknowledged.length + 20, PATIENCE)
  }
  await end(stays)
  await expectWhole(place(), told)
})

test(
  'a replica that sleeps while it has the ledger’s lock holds the others up for a while only, and goes on when it wakes',
  { timeout: 90_000 },
  async ({ skip }) => {
    if (bin === undefined) skip(WHY)
    const [sleeper, other] = [runAppender(place(), 'sleeper'), runAppender(place(), 'other')]
    await Promise.all([sleeper, other].map((replica) => replica.reached(40, PATIENCE)))
    for (let i = 0; i < 2; i++) {
      sleeper.signal('SIGSTOP')
      const slept = sleeper.acknowledged.length
      await other.reached(other.acknowledged.length + 40, PATIENCE)
      sleeper.signal('SIGCONT')
      await sleeper.reached(slept + 20, PATIENCE)
    }
    await end(sleeper, other)
    await expectWhole(place(), told)
  },
)
