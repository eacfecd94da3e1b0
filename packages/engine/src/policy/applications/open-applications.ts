/** The applications in a folder: each read, checked and made active when it is right; a broken change leaves the last good one. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import { versionOf } from '../digest.ts'
import { insertFiles } from '../store.ts'
import type { Finding, PolicyFiles } from '../types.ts'
import { watchFolder } from '../watch-folder.ts'
import { makeApplication } from './decide-access.ts'
import type { Application } from './decide-access.ts'
import { isApplicationFile, readApplication } from './read-application.ts'

export type ApplicationStatus = {
  name: string
  /** Absent while it never was right: everything is refused. */
  version: string | undefined
  /** Of the folder as it is. */
  findings: readonly Finding[]
}

export interface Applications {
  find(name: string): Application | undefined
  list(): ApplicationStatus[]
  /** Looks at the folder now. */
  reload(): Promise<void>
  close(): Promise<void>
}

export type ApplicationsOptions = {
  /** Holds one folder for each application. It need not exist. */
  folder: string
  ledger: Pick<Ledger, 'append'>
  log: Logger
  /** How often the folder is looked at; 1,000 ms unless said. */
  pollMs?: number
}

type Entry = { seen: string; findings: readonly Finding[]; application: Application | undefined }

const MAX_APPLICATIONS = 100
const MAX_BYTES = 8 * 1024 * 1024
const utf8 = new TextDecoder('utf-8', { fatal: true })

async function subfolders(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    const names = entries.filter((entry) => entry.isDirectory() && /^[a-z0-9][a-z0-9-]{0,40}$/.test(entry.name)).map(({ name }) => name)
    return names.toSorted().slice(0, MAX_APPLICATIONS)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** @throws when a file can't be read: then nothing changes */
async function readFiles(folder: string): Promise<PolicyFiles> {
  const files: Record<string, string> = {}
  for (const name of (await readdir(folder)).filter(isApplicationFile).toSorted()) {
    const file = join(folder, name)
    if ((await stat(file)).size > MAX_BYTES) throw new Error(`${name} is larger than ${MAX_BYTES} bytes`)
    files[name] = utf8.decode(await readFile(file))
  }
  return files
}

export async function openApplications({ folder, ledger, log, pollMs = 1000 }: ApplicationsOptions): Promise<Applications> {
  const entries = new Map<string, Entry>()

  async function record(name: string, files: PolicyFiles, { findings, application }: Entry, previous: string | undefined): Promise<void> {
    const errors = findings.filter(({ severity }) => severity === 'error')
    if (application) {
      const body = { application: name, version: application.version, previous: previous ?? null }
      await ledger.append({ changes: [insertFiles(application.version, files)], entries: [{ type: 'application.activated', body }] })
      log.info({ application: name, version: application.version }, 'the application is active')
      return
    }
    const [first] = errors
    const body = { application: name, version: versionOf(files), errors: errors.length, active: previous ?? null }
    await ledger.append({ changes: [], entries: [{ type: 'application.refused', body }] })
    const where = first && `${first.file}:${first.line}:${first.column}`
    log.error(
      { application: name, where, code: first?.code, problem: first?.message },
      'the application has errors and does not become active',
    )
  }

  async function lookAt(name: string): Promise<void> {
    const files = await readFiles(join(folder, name))
    const seen = versionOf(files)
    const before = entries.get(name)
    if (before?.seen === seen) return
    const { findings, application } = await readApplication(files)
    const entry: Entry = { seen, findings, application: application && makeApplication(name, application) }
    // Recorded before it decides anything.
    await record(name, files, entry, before?.application?.version)
    entries.set(name, { ...entry, application: entry.application ?? before?.application })
  }

  async function look(): Promise<void> {
    const names = await subfolders(folder)
    for (const name of names) {
      await lookAt(name).catch((error: unknown) => log.error({ err: error, application: name }, 'the application could not be looked at'))
    }
    for (const [name, { application }] of entries) {
      if (names.includes(name)) continue
      await ledger.append({
        changes: [],
        entries: [{ type: 'application.removed', body: { application: name, version: application?.version ?? null } }],
      })
      entries.delete(name)
    }
  }

  let tail: Promise<unknown> = Promise.resolve()
  let looking = false
  function lookSoon(): void {
    if (looking) return
    looking = true
    tail = tail
      .then(look)
      .catch((error: unknown) => log.error({ err: error }, 'the applications could not be looked at'))
      .finally(() => (looking = false))
  }
  await look()
  const stop = watchFolder(folder, pollMs, lookSoon)

  return {
    find: (name) => entries.get(name)?.application,
    list: () => [...entries].map(([name, { application, findings }]) => ({ name, version: application?.version, findings })),
    reload() {
      const turn = tail.then(look)
      tail = turn.catch(() => undefined)
      return turn
    },
    async close() {
      stop()
      await tail
    },
  }
}
