/** `ephor backup` and `ephor restore`: a data folder as it was at one moment, and back. */
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Option } from 'commander'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { BackupView } from '@ephor/contract'
import { makeLog } from '@ephor/engine/kernel'
import { backupOffline, restoreBackup } from '@ephor/server'
import { connect, settingsOf } from '../connection.ts'
import type { CommonOptions } from '../connection.ts'
import { facts, json, line } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, withCommon, withServer } from '../verb.ts'

type BackupOptions = CommonOptions & { withKeys?: boolean }
type RestoreOptions = CommonOptions & { keys?: string; acceptRollback?: boolean; reason?: string }

/** The server writes below its data folder; from there it is moved to where it was wanted. */
function move(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  try {
    if (existsSync(to)) rmSync(to, { recursive: true })
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    const partial = `${to}.partial`
    rmSync(partial, { recursive: true, force: true })
    cpSync(from, partial, { recursive: true })
    renameSync(partial, to)
    rmSync(from, { recursive: true })
  }
}

async function backup(io: Io, options: BackupOptions, folder: string): Promise<BackupView> {
  const settings = settingsOf(io, options)
  const withKeys = options.withKeys === true
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new Fault('CONFLICT', `${folder} is not empty; choose another folder`, { where: folder })
  try {
    const name = `backup-${Date.now()}`
    const made = await connect(io, options).client.makeBackup({ body: { name, withKeys } })
    // Of a server elsewhere it stays where it is: nothing of a backup goes over the network.
    if (made.folder !== join(settings.home, 'backups', name) || !existsSync(made.folder)) return made
    move(made.folder, folder)
    return { ...made, folder }
  } catch (error) {
    const nobody = error instanceof Fault && error.code === 'SERVER_UNREACHABLE'
    // What has no keys is no data folder: to open it would make some.
    const isThere = existsSync(join(settings.home, settings.store.url === undefined ? 'store.db' : 'keys'))
    if (!nobody || options.url !== undefined || !isThere) throw error
    return backupOffline(settings, folder, { withKeys })
  }
}

async function restore(io: Io, options: RestoreOptions, from: string): Promise<void> {
  const settings = settingsOf(io, options)
  if (options.acceptRollback === true && options.reason === undefined)
    throw new Fault('REQUEST_INVALID', '--accept-rollback needs a --reason: what is given up is recorded with it')
  const restored = await restoreBackup(
    settings,
    from,
    {
      ...(options.keys === undefined ? {} : { keysFolder: resolve(io.folder, options.keys) }),
      ...(options.acceptRollback === true && options.reason !== undefined ? { acceptRollback: { reason: options.reason } } : {}),
    },
    makeLog('silent'),
  )
  if (options.json) return json(io, restored)
  facts(io, [
    ['restored', `${restored.size} entries, verified from the first to the last`],
    ['given up', restored.lost === 0 ? undefined : `${restored.lost} entries that were signed after the backup`],
    ['erased again', restored.erasedAgain === 0 ? undefined : `${restored.erasedAgain} keys that were destroyed after the backup`],
    ['what was there', restored.aside],
  ])
}

export function addBackup(program: Command, io: Io): void {
  const backing = withServer(
    program.command('backup').argument('<folder>').description('write a consistent backup, with or without a running server'),
  )
  backing.option('--with-keys', 'with the private keys: whoever has it can read everything and sign in this name')
  backing.action(async (folder: string, options: BackupOptions) => {
    const made = await backup(io, options, resolve(io.folder, folder))
    if (options.json) return json(io, made)
    line(io, `Backed up ${made.size} entries to ${made.folder}: ${made.files} files, ${made.bytes} bytes.`)
    if (!made.keys) line(io, 'Private keys are not in it: keep a copy of the folder keys apart from it. Without them it can’t be restored.')
  })
  examples(backing, 'backup /var/backups/ephor-2026-03-01')

  const restoring = withCommon(
    program
      .command('restore')
      .argument('<folder>', 'a backup')
      .description('check a backup whole, and put it in the place of this installation'),
  )
  restoring
    .option('--keys <folder>', 'the keys of the installation, where neither the data folder nor the backup has them')
    .addOption(new Option('--accept-rollback', 'also where entries that were signed since are given up; recorded'))
    .option('--reason <text>', 'why they are given up')
  restoring.action((folder: string, options: RestoreOptions) => restore(io, options, resolve(io.folder, folder)))
  examples(restoring, 'restore /var/backups/ephor-2026-03-01', 'restore ./old --accept-rollback --reason "the disk broke"')
}
