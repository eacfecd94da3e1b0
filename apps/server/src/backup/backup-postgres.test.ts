/** Backups of a store on PostgreSQL, and restores into one: whole while replicas write, and nothing of other tenants on the way. */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freshDatabase, postgresAnswers } from '@ephor/engine/kernel/testing'
import Database from 'better-sqlite3'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { MIGRATIONS, migrateStore } from '../open-store.ts'
import type { EffectiveSettings } from '../settings/load-settings.ts'
import { act, ANNA, inputs, log, makeInstallation, newFolder, OPERATOR, settingsOf, within } from './backup.fixture.ts'
import { backupOffline } from './backup-offline.ts'
import { makeBackup } from './make-backup.ts'
import { restoreBackup } from './restore-backup.ts'

const answers = await postgresAnswers()
if (!answers) console.warn('No PostgreSQL answers: its backups are not tested.')
// Each opens several installations.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 })

const withCode = (code: string) => expect.objectContaining({ code }) as Error
const drops: (() => Promise<void>)[] = []
let template = ''

/** An empty database with the tables in it; migrating each by itself would take most of the time. */
async function database(): Promise<string> {
  const made = await freshDatabase(template === '' ? undefined : template)
  drops.push(() => made.drop())
  return made.url
}

const on = (settings: EffectiveSettings, url: string, tenant = 'default'): EffectiveSettings => ({
  ...settings,
  tenant,
  store: { ...settings.store, url, poolSize: 2 },
})
const restore = (settings: EffectiveSettings, from: string, options: Parameters<typeof restoreBackup>[2] = {}) =>
  restoreBackup(settings, from, options, log)
const backup = (settings: EffectiveSettings) => backupOffline(settings, join(newFolder(), 'backup'), { withKeys: false })

async function ask(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client(url)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

function lastEntry(settings: EffectiveSettings) {
  return within(settings, async ({ feed: { ledger } }) => {
    const entries = await ledger.list({ limit: 100_000 })
    return entries.findLast(({ body }) => body['type'] === 'ledger.restored')?.body
  })
}

beforeAll(async () => {
  if (!answers) return
  const url = await database()
  await migrateStore(on(settingsOf(newFolder()), url))
  template = new URL(url).pathname.slice(1)
})
afterAll(async () => {
  for (const drop of drops) await drop()
})

describe.skipIf(!answers)('a store on PostgreSQL', () => {
  test('a backup under the appends of two replicas has a whole ledger, and restores into an empty database', async () => {
    const one = on(makeInstallation(), await database())
    const two = { ...one, home: join(newFolder(), '.ephor') }
    await act(one, 'first')
    cpSync(join(one.home, 'keys'), join(two.home, 'keys'), { recursive: true })
    const folder = join(newFolder(), 'backup')
    await within(one, (opened) =>
      within(two, async (other) => {
        const until = new AbortController()
        const written = [0, 0]
        const writing = [opened, other].map(async ({ feed: { ledger } }, i) => {
          for (let n = 0; !until.signal.aborted; written[i] = ++n) {
            const payloads = [{ name: 'input', subject: ANNA, value: `${i}/${n}` }]
            await ledger.append({ changes: [], entries: [{ type: 'note', body: {}, payloads }] })
          }
        })
        await expect.poll(() => Math.min(...written), { timeout: 20_000 }).toBeGreaterThan(10)
        const { store, feed, keys, clock } = opened
        await makeBackup({ home: one.home, url: one.store.url, store, ledger: feed.ledger, keys, clock }, folder, { withKeys: false })
        until.abort()
        await Promise.all(writing)
      }),
    )
    expect(readdirSync(folder).toSorted()).toEqual(['checkpoint', 'manifest.json', 'manifest.sig', 'policies', 'store.db'])
    const elsewhere = on(settingsOf(newFolder()), await database())
    const restored = await restore(elsewhere, folder, { keysFolder: join(one.home, 'keys') })
    expect(restored).toMatchObject({ lost: 0, erasedAgain: 0 })
    expect(existsSync(join(elsewhere.home, 'store.db'))).toBe(false)
    const said = await inputs(elsewhere)
    expect(said[0]).toBe('first')
    // Of each replica what it wrote up to one moment, in its order.
    for (const i of [0, 1]) {
      const own = said.filter((value) => String(value).startsWith(`${i}/`))
      expect(own).toEqual(own.map((_, n) => `${i}/${n}`))
    }
    await expect(lastEntry(elsewhere)).resolves.toMatchObject({ type: 'ledger.restored', rolledBack: false })
    // And the same backup into an embedded store: the format knows no database.
    const embedded = settingsOf(newFolder())
    await restore(embedded, folder, { keysFolder: join(one.home, 'keys') })
    await expect(inputs(embedded)).resolves.toEqual(said)
  })

  test('a database that has rows of the tenant is refused before anything is done, and so is a flipped byte', async () => {
    const settings = on(makeInstallation(), await database())
    await act(settings, 'one')
    const { folder } = await backup(settings)
    await expect(restore(settings, folder)).rejects.toThrow(withCode('CONFLICT'))
    await expect(restore(settings, folder)).rejects.toThrow('make an empty one')
    await expect(inputs(settings)).resolves.toEqual(['one'])
    const empty = on(settings, await database())
    const bytes = readFileSync(join(folder, 'store.db'))
    const at = Math.floor(bytes.length / 2)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    writeFileSync(join(folder, 'store.db'), bytes)
    await expect(restore(empty, folder)).rejects.toThrow(withCode('BACKUP_INVALID'))
    await expect(ask(empty.store.url ?? '', 'SELECT 1 FROM ledger_entry')).resolves.toEqual([])
    expect(existsSync(join(settings.home, 'restoring'))).toBe(false)
  })

  test('a backup behind what was signed since is refused, unless somebody accepts it; what was erased since does not come back', async () => {
    const settings = on(makeInstallation(), await database())
    await act(settings, 'one')
    const { folder } = await backup(settings)
    await act(settings, 'two')
    await within(settings, ({ erasure }) => erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR }))
    const empty = on(settings, await database())
    await expect(restore(empty, folder)).rejects.toThrow(withCode('LEDGER_FORKED'))
    await expect(ask(empty.store.url ?? '', 'SELECT 1 FROM ledger_entry')).resolves.toEqual([])
    const restored = await restore(empty, folder, { acceptRollback: { reason: 'the disk broke' } })
    expect(restored).toMatchObject({ lost: 2, erasedAgain: 1 })
    await expect(inputs(empty)).resolves.toEqual([undefined])
    await expect(lastEntry(empty)).resolves.toMatchObject({ rolledBack: true, backup: { size: 1 }, outside: { size: 3 } })
  })

  test('other tenants’ rows are neither copied nor touched', async () => {
    const url = await database()
    const [ours, theirs] = [on(makeInstallation(), url, 'ours'), on(makeInstallation(), url, 'theirs')]
    await act(ours, 'one')
    await act(theirs, 'secret')
    const { folder } = await backup(ours)
    const copy = new Database(join(folder, 'store.db'), { readonly: true })
    const tables = copy.prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE sql LIKE '%tenant%' AND type = 'table'").all()
    expect(tables.length).toBeGreaterThan(MIGRATIONS.length)
    for (const { name } of tables) {
      const tenants = copy.prepare<[], { tenant: string }>(`SELECT DISTINCT tenant FROM "${name}"`).all()
      expect(tenants.filter(({ tenant }) => tenant !== 'ours')).toEqual([])
    }
    copy.close()
    const rows = () => ask(elsewhere, "SELECT seq, body, leaf_hash FROM ledger_entry WHERE tenant = 'theirs' ORDER BY seq")
    const elsewhere = await database()
    const other = on(makeInstallation(), elsewhere, 'theirs')
    await act(other, 'still here')
    const before = await rows()
    await expect(restore(on(ours, elsewhere, 'theirs'), folder)).rejects.toThrow('set tenant')
    await restore(on(ours, elsewhere, 'ours'), folder)
    await expect(rows()).resolves.toEqual(before)
    await expect(inputs(other)).resolves.toEqual(['still here'])
    await expect(inputs(on(ours, elsewhere, 'ours'))).resolves.toEqual(['one'])
  })
})
