/** `ephor backup` and `ephor restore` of an installation on PostgreSQL: asked of the running server, without one, and into another database. */
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeLog } from '@ephor/engine/kernel'
import { freshDatabase, postgresAnswers } from '@ephor/engine/kernel/testing'
import { loadSettings, startServer } from '@ephor/server'
import { describe, expect, test } from 'vitest'
import { ephorIn } from '../run.fixture.ts'

const answers = await postgresAnswers()
if (!answers) console.warn('No PostgreSQL answers: its backups are not tested from the command line.')

describe.skipIf(!answers)('on PostgreSQL', () => {
  test('a backup is made with and without a server, and restores into a database that is empty and no other', async () => {
    const [first, second] = [await freshDatabase(), await freshDatabase()]
    const folder = mkdtempSync(join(tmpdir(), 'ephor-backup-cli-'))
    const environment = { EPHOR_STORE_URL: first.url }
    const ephor = ephorIn(folder, environment)
    const { settings } = loadSettings({ folder, environment, flags: { port: 0, demo: false } })
    const server = await startServer({ settings }, makeLog('silent'))
    const made = await ephor('backup', 'saved')
    await server.stop()
    expect([made.code, made.err]).toEqual([0, ''])
    expect(existsSync(join(folder, 'saved', 'store.db'))).toBe(true)
    expect(existsSync(join(settings.home, 'store.db'))).toBe(false)
    const alone = await ephor('backup', 'alone')
    expect([alone.code, alone.err]).toEqual([0, ''])
    const occupied = await ephor('restore', 'alone')
    expect([occupied.code, occupied.err]).toEqual([1, expect.stringContaining('make an empty one')])
    const there = ephorIn(folder, { EPHOR_STORE_URL: second.url })
    const restored = await there('restore', 'alone')
    expect([restored.code, restored.out]).toEqual([0, expect.stringContaining('verified from the first to the last')])
    expect((await there('ledger', 'verify')).out).toContain('ledger.restored')
    await first.drop()
    await second.drop()
  }, 60_000)
})
