/** A disk that fails now and then, under load: what could not be made durable is refused, what was acknowledged is there, and it goes on without a restart. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectWhole } from './ledger-world.ts'
import { runAppender } from './run-appender.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-disk-')))
const library = join(folder, 'failing-disk.so')
let why: string | undefined

beforeAll(() => {
  if (process.platform !== 'linux') why = 'preloads a library as Linux does'
  else
    try {
      execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, join(import.meta.dirname, 'failing-disk.c'), '-ldl'], {
        stdio: 'pipe',
      })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      why = 'needs gcc'
    }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const homeOf = (name: string) => realpathSync(mkdtempSync(join(folder, `${name}-`)))

test.for([
  // The store tries a batch again at once: a single failure is nobody's business.
  ['every third sync', { FAULT_SYNC: '2:1' }, 0],
  ['many syncs in a row', { FAULT_SYNC: '12:8' }, 1],
  ['writes, the disk being full in the middle of one', { FAULT_WRITE: '200:40' }, 1],
] as const)('failing: %s', { timeout: 30_000 }, async ([name, rules, least], { skip }) => {
  if (why !== undefined) skip(why)
  const home = homeOf('failing')
  // Opened once without: a disk that fails while a store is made is another story.
  const first = runAppender({ home }, 'good')
  await first.reached(10)
  await first.kill()
  const failing = runAppender({ home }, 'bad', { ...rules, FAULT_FOLDER: join(home, 'store.db'), LD_PRELOAD: library })
  await failing.reached(300)
  await expect.poll(() => failing.refused.length, { timeout: 5000 }).toBeGreaterThanOrEqual(least)
  // Without a restart.
  await failing.reached(failing.acknowledged.length + 50)
  await failing.kill()
  expect(
    [...new Set(failing.refused)].filter((code) => code !== 'STORE_UNAVAILABLE'),
    name,
  ).toEqual([])
  await expectWhole({ home }, [...first.acknowledged, ...failing.acknowledged])
})

test('failing only where the checkpoint outside is kept: appends go on, and the file is right once it can be written', async ({ skip }) => {
  if (why !== undefined) skip(why)
  const home = homeOf('outside')
  const first = runAppender({ home }, 'good')
  await first.reached(10)
  await first.kill()
  const sizeOutside = () => Number(readFileSync(join(home, 'checkpoint'), 'utf8').split('\n')[1])
  const failing = runAppender({ home }, 'bad', { FAULT_SYNC: '3:1000000', FAULT_FOLDER: join(home, 'checkpoint'), LD_PRELOAD: library })
  await failing.reached(100)
  await sleep(3000)
  const stuck = sizeOutside()
  await sleep(1500)
  await failing.reached(failing.acknowledged.length + 50)
  expect(sizeOutside()).toBe(stuck)
  await failing.kill()
  const ids = await expectWhole({ home }, [...first.acknowledged, ...failing.acknowledged])
  expect(sizeOutside()).toBe(ids.length)
  expect(stuck).toBeLessThan(ids.length)
})
