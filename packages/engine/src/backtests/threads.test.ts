/** A thread that dies in the middle is replaced where it was; one that always dies ends the run, and nothing else. */
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test, vi } from 'vitest'
import { openBusyWorld } from './backtests.fixture.ts'

afterEach(() => vi.restoreAllMocks())

/** Ends the replaying thread when it is handed a stretch, as the system does when memory runs out. */
function killOn(isDoomed: (stretch: number) => boolean): () => number {
  let stretches = 0
  // oxlint-disable-next-line unbound-method -- applied to each thread below
  const { postMessage } = Worker.prototype
  vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, ...given: Parameters<Worker['postMessage']>) {
    postMessage.apply(this, given)
    if (typeof given[0] === 'object' && given[0] !== null && 'batch' in given[0] && isDoomed(++stretches)) void this.terminate()
  })
  return () => stretches
}

test('a thread that dies in the middle of a run is replaced, and nothing is counted twice', async () => {
  const { world, perform } = await openBusyWorld()
  for (let i = 0; i < 700; i++) await perform('look', { path: i % 3 === 0 ? '/etc/passwd' : `${world.folder}/${i}` })
  const stretches = killOn((stretch) => stretch === 2)
  const { id } = await world.backtests.checkDrift('system')
  await world.backtests.idle()
  expect(await world.backtests.show(id)).toMatchObject({ state: 'done', tally: { seen: 700, replayed: 700, same: 700 } })
  expect(stretches()).toBeGreaterThan(3)
  await world.close()
}, 60_000)

test('a thread that dies each time ends the run as failed, which health shows, and calls go on', async () => {
  const { world, perform } = await openBusyWorld()
  await perform('look', { path: `${world.folder}/a` })
  const stretches = killOn(() => true)
  const { id } = await world.backtests.checkDrift('system')
  await world.backtests.idle()
  expect(stretches()).toBe(3)
  expect(await world.backtests.show(id)).toMatchObject({ state: 'failed', fault: 'BACKTEST_FAILED', tally: { seen: 0 } })
  expect(await world.backtests.drift()).toMatchObject({ run: id, failed: true })
  expect((await world.ledger.find(`${id}/ended`))?.body).toMatchObject({ state: 'failed', fault: 'BACKTEST_FAILED' })
  expect(await perform('look', { path: `${world.folder}/b` })).toMatchObject({ kind: 'done' })
  vi.restoreAllMocks()
  const { id: next } = await world.backtests.checkDrift('system')
  await world.backtests.idle()
  expect(await world.backtests.show(next)).toMatchObject({ state: 'done', after: -1, tally: { seen: 2, same: 2 } })
  await world.close()
})
