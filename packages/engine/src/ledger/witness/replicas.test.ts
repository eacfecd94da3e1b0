/** Several replicas on one database: what one had cosigned counts for all, and a fork that one found stops all. */
import { makeLog, systemClock } from '@ephor/engine/kernel'
import { toyLog } from '@ephor/testkit'
import { loadKeys } from '@ephor/engine/kernel'
import { expect, onTestFinished, test, vi } from 'vitest'
import { join } from 'node:path'
import { decision, openWorld, ORIGIN, scratch, testsPostgres } from '../ledger.fixture.ts'
import { openWitnesses } from './open-witnesses.ts'
import { fakeWitness } from './witness.fixture.ts'

// Each test opens several ledgers, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

async function open(folder: string, replica: string, fakes: Awaited<ReturnType<typeof fakeWitness>>[]) {
  const world = await openWorld(folder, { replica })
  const { store, ledger } = world
  const options = { store, ledger, quorum: 1, deadlineMs: 60_000, pauseMs: 20, clock: systemClock, log: makeLog('silent') }
  const witnesses = await openWitnesses({ ...options, witnesses: fakes })
  onTestFinished(async () => {
    witnesses.close()
    await world.close()
  })
  return { ...world, witnesses }
}

test.skipIf(!testsPostgres)('a cosignature counts for every replica, whichever one got it', async () => {
  const fake = await fakeWitness()
  const folder = scratch()
  const [a, b] = [await open(folder, 'a', [fake]), await open(folder, 'b', [fake])]
  const within = AbortSignal.timeout(20_000)
  for (const [i, world] of [a, b, b, a].entries()) {
    const [receipt] = await world.ledger.append({ changes: [], entries: [decision(`d${i}`)] })
    expect(await world.witnesses.cosigned(receipt?.seq ?? -1, 1, within)).toBe(true)
  }
  // The other one's, read from the database: its own witness is deaf.
  const deaf = { ...fake, url: 'http://127.0.0.1:1' }
  const c = await open(folder, 'c', [deaf])
  const [receipt] = await c.ledger.append({ changes: [], entries: [decision('last')] })
  const waiting = c.witnesses.cosigned(receipt?.seq ?? -1, 1, within)
  expect(await a.witnesses.cosigned(receipt?.seq ?? -1, 1, within)).toBe(true)
  expect(await waiting).toBe(true)
})

test.skipIf(!testsPostgres)('a fork that one replica finds stops the others, and its resolution lets them go on', async () => {
  const folder = scratch()
  const [a, b] = [await open(folder, 'a', []), await open(folder, 'b', [])]
  await a.ledger.append({ changes: [], entries: [decision('d')] })
  const { size, root } = await a.ledger.head()
  const other = toyLog(ORIGIN, ['another past'], loadKeys(join(folder, 'keys')).ledger)
  expect(await a.ledger.forks.compare(await other.checkpoint(1), 'gossip')).toMatchObject({ kind: 'forked' })
  await vi.waitFor(() => expect(b.ledger.forked()).toBeDefined(), 15_000)
  await b.ledger.forks.resolve('per_1', { size, root }, 'r')
  await vi.waitFor(() => expect(a.ledger.forked()).toBeUndefined(), 15_000)
})
