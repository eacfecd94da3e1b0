/** Backups: whole or refused, without keys unless asked for, and never a way to bring back what was erased or to hide what happened. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { act, ANNA, inputs, log, makeInstallation, newFolder, OPERATOR, settingsOf, within } from './backup.fixture.ts'
import { backupOffline } from './backup-offline.ts'
import { makeBackup } from './make-backup.ts'
import { restoreBackup } from './restore-backup.ts'

// Each opens several installations.
vi.setConfig({ testTimeout: 90_000 })

const withCode = (code: string) => expect.objectContaining({ code }) as Error
const without = { withKeys: false }
type Settings = ReturnType<typeof settingsOf>

const restore = (settings: Settings, from: string, options: Parameters<typeof restoreBackup>[2] = {}) =>
  restoreBackup(settings, from, options, log)
const backup = async (settings: Settings, options = without) => backupOffline(settings, join(newFolder(), 'backup'), options)

function lastEntry(settings: Settings) {
  return within(settings, async ({ feed: { ledger } }) => {
    const { size } = await ledger.head()
    for (let seq = size - 1; seq >= 0; seq--) {
      const entry = await ledger.read(seq)
      if (entry?.body['type'] === 'ledger.restored') return entry.body
    }
    return undefined
  })
}

test('a backup restores into its own installation, which goes on where it was', async () => {
  const settings = makeInstallation()
  await act(settings, 'one', 'two')
  const made = await backup(settings)
  expect(readdirSync(made.folder).toSorted()).toEqual(['checkpoint', 'manifest.json', 'manifest.sig', 'policies', 'store.db'])
  writeFileSync(join(settings.home, 'policies', 'mine.cedar'), '// spoiled\n')
  const restored = await restore(settings, made.folder)
  expect(restored).toMatchObject({ lost: 0, erasedAgain: 0 })
  expect(readFileSync(join(settings.home, 'policies', 'mine.cedar'), 'utf8')).toBe('// mine\n')
  await expect(inputs(settings)).resolves.toEqual(['one', 'two'])
  await expect(lastEntry(settings)).resolves.toMatchObject({ type: 'ledger.restored', rolledBack: false, backup: { size: made.size } })
  // Nothing is lost: what was there stands aside.
  expect(readFileSync(join(restored.aside ?? '', 'policies', 'mine.cedar'), 'utf8')).toBe('// spoiled\n')
  expect(existsSync(join(restored.aside ?? '', 'store.db'))).toBe(true)
})

test('a backup is made while entries are written, and holds a whole ledger', async () => {
  const settings = makeInstallation()
  const folder = join(newFolder(), 'backup')
  await within(settings, async ({ store, feed: { ledger }, keys, clock }) => {
    const until = new AbortController()
    const writing = (async () => {
      for (let i = 0; !until.signal.aborted; i++)
        await ledger.append({ changes: [], entries: [{ type: 'note', body: {}, payloads: [{ name: 'input', subject: ANNA, value: i }] }] })
    })()
    await makeBackup({ home: settings.home, url: undefined, store, ledger, keys, clock }, folder, without)
    until.abort()
    await writing
  })
  const elsewhere = settingsOf(newFolder())
  await restore(elsewhere, folder, { keysFolder: join(settings.home, 'keys') })
  expect((await inputs(elsewhere)).every((value, i) => value === i)).toBe(true)
})

test('private keys are in a backup only when asked for, and without them it opens nothing', async () => {
  const settings = makeInstallation()
  await act(settings, 'secret')
  const plain = await backup(settings)
  expect(existsSync(join(plain.folder, 'keys'))).toBe(false)
  const elsewhere = settingsOf(newFolder())
  await expect(restore(elsewhere, plain.folder)).rejects.toThrow('keys of the installation')
  const full = await backup(settings, { withKeys: true })
  await restore(elsewhere, full.folder)
  await expect(inputs(elsewhere)).resolves.toEqual(['secret'])
})

test('another installation’s keys restore nothing', async () => {
  const [one, other] = [makeInstallation(), makeInstallation()]
  await act(one, 'one')
  await act(other, 'other')
  const { folder } = await backup(one)
  await expect(restore(other, folder)).rejects.toThrow('another installation made it')
  await expect(inputs(other)).resolves.toEqual(['other'])
})

test('a backup with one byte flipped, a file too many or one too few is refused, and the installation is untouched', async () => {
  const settings = makeInstallation()
  await act(settings, 'one')
  const { folder } = await backup(settings)
  const attacks: ((copy: string) => void)[] = [
    (copy) => flip(join(copy, 'store.db')),
    (copy) => flip(join(copy, 'checkpoint')),
    (copy) => flip(join(copy, 'manifest.json')),
    (copy) => flip(join(copy, 'manifest.sig')),
    (copy) => rmSync(join(copy, 'policies', 'mine.cedar')),
    (copy) => writeFileSync(join(copy, 'policies', 'theirs.cedar'), 'permit (principal, action, resource);'),
    (copy) => appendFileSync(join(copy, 'store.db'), 'x'),
  ]
  for (const attack of attacks) {
    const copy = join(newFolder(), 'copy')
    cpSync(folder, copy, { recursive: true })
    attack(copy)
    await expect(restore(settings, copy)).rejects.toThrow(withCode('BACKUP_INVALID'))
  }
  expect(existsSync(join(settings.home, 'restoring'))).toBe(false)
  await expect(inputs(settings)).resolves.toEqual(['one'])
})

function flip(file: string): void {
  const bytes = readFileSync(file)
  const at = Math.floor(bytes.length / 2)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(file, bytes)
}

test('an old backup is refused behind what was signed since, unless somebody accepts it, which is recorded', async () => {
  const settings = makeInstallation()
  await act(settings, 'one')
  const { folder } = await backup(settings)
  await act(settings, 'two', 'three')
  await expect(restore(settings, folder)).rejects.toThrow(withCode('LEDGER_FORKED'))
  await expect(inputs(settings)).resolves.toEqual(['one', 'two', 'three'])
  const restored = await restore(settings, folder, { acceptRollback: { reason: 'the disk broke' } })
  expect(restored.lost).toBe(2)
  await expect(inputs(settings)).resolves.toEqual(['one'])
  await expect(lastEntry(settings)).resolves.toMatchObject({ rolledBack: true, backup: { size: 1 }, outside: { size: 3 } })
})

test('what was erased after the backup does not come back with it', async () => {
  const settings = makeInstallation()
  await act(settings, 'one')
  const { folder } = await backup(settings)
  await within(settings, ({ erasure }) => erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR }))
  const restored = await restore(settings, folder, { acceptRollback: { reason: 'test' } })
  expect(restored.erasedAgain).toBe(1)
  await expect(inputs(settings)).resolves.toEqual([undefined])
})

test('a later backup knows what was erased, so that an earlier one restored elsewhere can be told', async () => {
  const settings = makeInstallation()
  await act(settings, 'one')
  const early = await backup(settings)
  await within(settings, ({ erasure }) => erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR }))
  const late = await backup(settings)
  const elsewhere = settingsOf(newFolder())
  cpSync(join(settings.home, 'keys'), join(elsewhere.home, 'keys'), { recursive: true })
  cpSync(join(late.folder, 'erased'), join(elsewhere.home, 'erased'))
  await expect(restore(elsewhere, early.folder)).resolves.toMatchObject({ erasedAgain: 1 })
  await expect(inputs(elsewhere)).resolves.toEqual([undefined])
})

test('nothing of what was erased is in a backup made afterwards', async () => {
  const settings = makeInstallation()
  await act(settings, 'one')
  const sealed = await within(settings, async ({ store, erasure }) => {
    const rows = await store
      .reader<{ ledger_key: { sealed: Uint8Array }; ledger_payload: { sealed: Uint8Array } }>()
      .selectFrom('ledger_key')
      .select('sealed')
      .execute()
    await erasure.erase(ANNA, { reason: 'subject-request', by: OPERATOR })
    return rows.map((row) => Buffer.from(row.sealed))
  })
  const { folder } = await backup(settings, { withKeys: true })
  const database = readFileSync(join(folder, 'store.db'))
  expect(sealed).toHaveLength(1)
  for (const bytes of sealed) expect(database.includes(bytes)).toBe(false)
})

test('a restore that stopped on its way into place is finished by the next start', async () => {
  const settings = makeInstallation()
  await act(settings, 'one')
  const { folder, size } = await backup(settings)
  let left = 4
  const step = () => {
    if (--left === 0) throw new Error('stopped here')
  }
  await expect(restore(settings, folder, { step })).rejects.toThrow('stopped here')
  await expect(inputs(settings)).resolves.toEqual(['one'])
  expect(existsSync(join(settings.home, 'restoring'))).toBe(false)
  await expect(lastEntry(settings)).resolves.toMatchObject({ backup: { size } })
})

test('a kill in the middle of a backup or a restore leaves an installation that works, and no half backup', async () => {
  const settings = makeInstallation()
  await act(settings, 'one')
  const { folder } = await backup(settings)
  for (const [i, wait] of [900, 1200].entries()) {
    const target = join(newFolder(), 'backup')
    const [what, to] = i % 2 === 0 ? ['restore', folder] : ['backup', target]
    const fixture = fileURLToPath(new URL('./restore.fixture.ts', import.meta.url))
    const child = spawn(process.execPath, [fixture, what, dirname(settings.home), to], { stdio: 'ignore' })
    const ended = once(child, 'exit')
    await setTimeout(wait)
    child.kill('SIGKILL')
    await ended
    await expect(inputs(settings)).resolves.toEqual(['one'])
    if (what === 'backup' && existsSync(target)) {
      const elsewhere = settingsOf(newFolder())
      await restore(elsewhere, target, { keysFolder: join(settings.home, 'keys') })
    }
    // A restore that was finished made entries; what was backed up before is behind them now.
    rmSync(folder, { recursive: true })
    await backupOffline(settings, folder, without)
  }
})

test('while a server runs, nothing is restored under it', async () => {
  const settings = makeInstallation()
  await act(settings, 'one')
  const { folder } = await backup(settings)
  await within(settings, async () => {
    await expect(restore(settings, folder)).rejects.toThrow(withCode('STORE_LOCKED'))
  })
})
