/** Restores a backup: everything is checked beside the installation, and only then takes its place. */
import { appendFileSync, cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { openIdentity } from '@ephor/engine/identity'
import { copyStore, loadKeys, lockFolder, makeFolder, refuseOccupied } from '@ephor/engine/kernel'
import type { JsonObject, Logger } from '@ephor/engine/kernel'
import { readCheckpoint, toHex, verifyLog } from '@ephor/proof'
import { openFoundations } from '../compose.ts'
import { outsideOf } from '../open-signer.ts'
import { fileIn, MIGRATIONS } from '../open-store.ts'
import { decide, finishRestore, moveIntoPlace, newIn, stagingIn } from './finish-restore.ts'
import { filesBelow, readManifest, syncFile } from './manifest.ts'
import type { Manifest } from './manifest.ts'

/** What an installation is opened by. */
type Settings = Parameters<typeof openFoundations>[0]

export type RestoreOptions = {
  /** Goes behind what the outside checkpoint covers; the reason is kept sealed in the ledger. */
  acceptRollback?: { reason: string }
  /** A folder of keys to take, instead of those of the data folder or of the backup. */
  keysFolder?: string
  /** Called between the steps that put it into place; tests throw there. */
  step?: () => void
}

export type Restored = {
  size: number
  /** Entries that were signed here and are not in the backup. */
  lost: number
  /** Keys that were erased after the backup, and are erased again. */
  erasedAgain: number
  /** Where everything that was replaced is now; undefined when the folder was empty. */
  aside?: string
}

const describe = (note: string): JsonObject => {
  const { size, root } = readCheckpoint(note)
  return { size, root: toHex(root) }
}

const readIfThere = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)

/** Whose keys: given ones, else those here, else those of the backup. @throws Fault BACKUP_INVALID */
function keysFor(home: string, from: string, { keysFolder }: RestoreOptions): string {
  const found = [keysFolder, join(home, 'keys'), join(from, 'keys')].find(
    (folder) => folder !== undefined && existsSync(join(folder, 'operator.key')),
  )
  if (found === undefined)
    throw new Fault(
      'BACKUP_INVALID',
      'neither the data folder nor the backup has the keys of the installation: name their folder with --keys',
    )
  return found
}

/** A copy of the backup below the data folder, with keys and everything that is known to be erased. */
function stage({ home, tenant }: Settings, from: string, keys: string, outside: string | undefined): string {
  const staged = newIn(home)
  rmSync(stagingIn(home), { recursive: true, force: true })
  makeFolder(staged)
  for (const name of readdirSync(from)) if (!name.startsWith('manifest.')) cpSync(join(from, name), join(staged, name), { recursive: true })
  cpSync(keys, join(staged, 'keys'), { recursive: true, force: true })
  const erased = readIfThere(join(home, 'erased'))
  if (erased !== undefined) {
    // Both lists: line for line, whatever was destroyed here or was known to be when the backup was made.
    if (existsSync(join(staged, 'erased'))) appendFileSync(join(staged, 'erased'), erased.replace(/^.*\n/, '\n'))
    else writeFileSync(join(staged, 'erased'), erased, { mode: 0o600 })
  }
  const kept = outsideOf({ home: staged, tenant })
  renameSync(join(staged, 'checkpoint'), kept)
  if (outside !== undefined) writeFileSync(kept, outside, { mode: 0o600 })
  return staged
}

type Opened = Awaited<ReturnType<typeof openFoundations>>

/** The restored ledger says that it was: what it was compared with, and what was given up. */
async function record({ store, feed: { ledger }, keys, clock }: Opened, body: JsonObject, reason: string | undefined): Promise<void> {
  const identity = await openIdentity({ store, ledger, keys, clock, origin: 'http://localhost', origins: [], isAgent: () => false })
  const payloads = reason === undefined ? [] : [{ name: 'reason', subject: identity.operator, value: reason }]
  await ledger.append({ changes: [], entries: [{ type: 'ledger.restored', body: { ...body, by: identity.operator }, payloads }] })
  await ledger.head()
}

/** @throws Fault LEDGER_INVALID when it does not verify from the first entry to the last */
async function verifyAll({ feed: { ledger } }: Opened, earlier: string | undefined): Promise<{ size: number; root: string }> {
  await ledger.head()
  const read = (path: string) => ledger.file(path)
  const verdict = await verifyLog({ read }, { vkey: ledger.verifierKey, ...(earlier === undefined ? {} : { earlier }) })
  if (!verdict.ok) throw new Fault('LEDGER_INVALID', `the backup does not verify: ${verdict.fault} at ${verdict.where}: ${verdict.detail}`)
  return verdict
}

async function closeAll({ erasure, feed, store }: Opened): Promise<void> {
  erasure.close()
  await feed.ledger.close().catch(() => undefined)
  await store.close()
}

/** Opens what is staged as an embedded store, checks it whole, applies later erasures, and records the restore. */
async function prove(
  settings: Settings,
  staged: string,
  manifest: Manifest,
  of: { backup: string; outside: string | undefined; reason?: string },
  log: Logger,
) {
  const opened = await openFoundations({ ...settings, home: staged, store: { ...settings.store, url: undefined } }, log)
  try {
    await verifyAll(opened, of.reason === undefined ? of.outside : of.backup)
    const { again: erasedAgain } = opened.erasure
    const body: JsonObject = {
      backup: { ...describe(of.backup), at: manifest.at },
      ...(of.outside === undefined ? {} : { outside: describe(of.outside) }),
      rolledBack: of.reason !== undefined,
      erasedAgain,
    }
    await record(opened, body, of.reason)
    return { size: (await opened.feed.ledger.head()).size, erasedAgain }
  } finally {
    await closeAll(opened)
  }
}

/** Copies what is proven into PostgreSQL, and verifies it there, before anything of the data folder is replaced. */
async function copyThere(settings: Settings, url: string, log: Logger): Promise<void> {
  const { tenant } = settings
  const staged = newIn(settings.home)
  const kept = readFileSync(outsideOf({ home: staged, tenant }), 'utf8')
  try {
    await copyStore({ file: fileIn(staged), url, tenant, migrations: MIGRATIONS })
    const opened = await openFoundations({ ...settings, home: staged }, log)
    try {
      await verifyAll(opened, kept)
    } finally {
      await closeAll(opened)
    }
  } catch (error) {
    rmSync(stagingIn(settings.home), { recursive: true, force: true })
    throw error
  }
}

/**
 * @param settings of the installation; `home` is made when missing. With `store.url` the rows go there, and the rest into `home`
 * @throws Fault BACKUP_INVALID, STORE_LOCKED while Ephor runs there, CONFLICT when the database has rows of the tenant,
 *   LEDGER_FORKED when the backup is behind the checkpoint outside or another history, LEDGER_INVALID: in all cases nothing
 *   of the data folder was touched
 */
export async function restoreBackup(settings: Settings, from: string, options: RestoreOptions, log: Logger): Promise<Restored> {
  const { home, tenant } = settings
  const { url } = settings.store
  makeFolder(home)
  finishRestore(home)
  const lock = lockFolder(fileIn(home))
  try {
    const keys = keysFor(home, from, options)
    const manifest = await readManifest(from, loadKeys(keys).operator)
    if (manifest.tenant !== tenant)
      throw new Fault('REQUEST_INVALID', `the backup is of the tenant ${manifest.tenant}, and the settings say ${tenant}: set tenant`)
    if (url !== undefined) await refuseOccupied({ url, tenant })
    const backup = readFileSync(join(from, 'checkpoint'), 'utf8')
    const outside = readIfThere(outsideOf(settings))
    const behind = outside === undefined ? 0 : Math.max(0, readCheckpoint(outside).size - manifest.size)
    const proven = await proveWith(settings, from, keys, manifest, { backup, outside }, options, log)
    if (url !== undefined) await copyThere(settings, url, log)
    const stays = url === undefined ? /^store\.db[-.]/ : /^store\.db/
    const names = readdirSync(newIn(home)).filter((name) => !stays.test(name) && !(name === 'keys' && keys === join(home, 'keys')))
    for (const name of names) for (const file of within(newIn(home), name)) syncFile(file)
    decide(home, { aside: `replaced-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`, names })
    const aside = moveIntoPlace(home, options.step)
    return { ...proven, lost: behind, ...(existsSync(aside) ? { aside } : {}) }
  } finally {
    lock.close()
  }
}

function within(folder: string, name: string): string[] {
  return filesBelow(folder)
    .filter((path) => path === name || path.startsWith(`${name}/`))
    .map((path) => join(folder, ...path.split('/')))
}

/** First against the checkpoint that is kept here; only where that refuses and somebody accepted it, without. */
async function proveWith(
  settings: Settings,
  from: string,
  keys: string,
  manifest: Manifest,
  { backup, outside }: { backup: string; outside: string | undefined },
  { acceptRollback }: RestoreOptions,
  log: Logger,
) {
  try {
    return await prove(settings, stage(settings, from, keys, outside), manifest, { backup, outside }, log)
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'LEDGER_FORKED' || acceptRollback === undefined) {
      rmSync(stagingIn(settings.home), { recursive: true, force: true })
      throw error
    }
    const staged = stage(settings, from, keys, undefined)
    return prove(settings, staged, manifest, { backup, outside, reason: acceptRollback.reason }, log)
  }
}
