/** A PostgreSQL of a test's own, on a free port, that may be stopped, killed and started again. */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@ephor/testkit'

const DEBIAN = '/usr/lib/postgresql'

/** Where the newest version's programs are; undefined when there are none. */
export function findPostgres(): string | undefined {
  if (!existsSync(DEBIAN)) return undefined
  const versions = readdirSync(DEBIAN).toSorted((a, b) => Number(b) - Number(a))
  return versions.map((version) => join(DEBIAN, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')))
}

/** PostgreSQL refuses to run as root. */
function user(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: idOf('-u'), gid: idOf('-g') }
}

/** @param folder can be entered by everyone */
export async function startPostgres(bin: string, folder: string) {
  const who = user()
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  if (who.uid !== undefined) chownSync(data, who.uid, who.gid ?? who.uid)
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'ephor', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'], {
    ...who,
    stdio: 'pipe',
    cwd: '/',
  })
  const port = await freePort()
  let server: ChildProcess
  let output = ''

  function isReady(): boolean {
    try {
      execFileSync(join(bin, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)], { stdio: 'pipe' })
      return true
    } catch {
      return false
    }
  }

  async function start(): Promise<void> {
    // What a killed server left has to be gone first: it refuses to start beside it, and is asked again.
    for (const end = Date.now() + 20_000; ;) {
      server = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', ''], {
        ...who,
        cwd: '/',
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      for (const stream of [server.stdout, server.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()))
      while (server.exitCode === null && Date.now() < end) {
        if (isReady()) return
        await sleep(50)
      }
      if (Date.now() >= end) throw new Error(`PostgreSQL did not start: ${output.slice(-2000)}`)
      await sleep(100)
    }
  }

  await start()
  return {
    url: `postgres://ephor@127.0.0.1:${port}/postgres`,
    start,
    /** SIGTERM waits for sessions, SIGINT ends them, SIGQUIT does without a checkpoint, SIGKILL is a crash. */
    async stop(signal: NodeJS.Signals): Promise<void> {
      const ended = once(server, 'exit')
      server.kill(signal)
      await ended
    },
  }
}
