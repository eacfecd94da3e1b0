/** `ephor doctor`: looks at the machine and the data folder, and says how to put right what is wrong. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, statfsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Command } from 'commander'
import { Fault, FAULTS } from '@ephor/contract'
import { loadSettings, outsideOf, readRunFile } from '@ephor/server'
import type { EffectiveSettings } from '@ephor/server'
import { connect } from '../connection.ts'
import type { CommonOptions } from '../connection.ts'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, withCommon } from '../verb.ts'

type State = 'ok' | 'warning' | 'problem'
type Check = { name: string; state: State; detail: string; fix?: string }

const ok = (name: string, detail: string): Check => ({ name, state: 'ok', detail })
const warning = (name: string, detail: string, fix: string): Check => ({ name, state: 'warning', detail, fix })
const problem = (name: string, detail: string, fix: string): Check => ({ name, state: 'problem', detail, fix })

function checkNode(): Check {
  const { node } = process.versions
  return Number(node.split('.')[0]) >= 24
    ? ok('Node', node)
    : problem('Node', `${node} is too old`, 'Run npm run setup in Ephor’s folder: it brings Node 24.')
}

function checkHome(home: string): Check {
  if (!existsSync(home)) return ok('data folder', `${home} is made by the first ephor up`)
  try {
    accessSync(home, constants.R_OK | constants.W_OK)
  } catch {
    return problem('data folder', `${home} can't be written`, 'Correct its owner or permissions, or set EPHOR_HOME.')
  }
  const { bavail, bsize } = statfsSync(home)
  const free = bavail * bsize
  const detail = `${home}, ${Math.round(free / 1024 / 1024)} MiB free`
  // A store that can't write permits nothing: better to hear of it before.
  if (free < 200 * 1024 * 1024)
    return warning('data folder', detail, 'Free some disk space: when the store can’t write, everything is refused.')
  return ok('data folder', detail)
}

function checkKeys(home: string): Check {
  const folder = join(home, 'keys')
  if (!existsSync(folder)) return ok('keys', 'made by the first ephor up')
  const names = readdirSync(folder).filter((name) => name.endsWith('.key'))
  const open = process.platform === 'win32' ? [] : names.filter((name) => (statSync(join(folder, name)).mode & 0o077) !== 0)
  if (open.length > 0)
    return problem('keys', `${open.join(', ')} can be read by others`, `chmod 600 ${open.map((name) => join(folder, name)).join(' ')}`)
  const missing = ['ledger.key', 'token.key', 'operator.key', 'policy.key', 'payload.key'].filter((name) => !names.includes(name))
  if (missing.length > 0)
    return problem('keys', `${missing.join(', ')} missing`, 'Restore them from your backup: new keys can’t open what the old ones sealed.')
  return ok('keys', `${names.length} in ${folder}, readable by their owner alone`)
}

async function signedIn(io: Io, options: CommonOptions): Promise<Record<string, string>> {
  const { bearer } = connect(io, options).options
  return { authorization: `Bearer ${await bearer?.()}` }
}

/** Whether the running server is well, or the store at rest is there to be opened. */
async function checkServer(io: Io, options: CommonOptions, { home }: EffectiveSettings): Promise<Check> {
  const running = readRunFile(home)
  if (!running) return ok('server', existsSync(join(home, 'store.db')) ? 'not running on this data folder' : 'not started yet: ephor up')
  try {
    // Warnings name systems, so they are for people.
    const headers = await signedIn(io, { ...options, url: running.url }).catch(() => ({}))
    const response = await fetch(`${running.url}/v1/health`, { headers, signal: AbortSignal.timeout(3000) })
    const { ready, reasons, warnings } = (await response.json()) as { ready: boolean; reasons: string[]; warnings: string[] }
    if (ready && warnings.length > 0)
      return warning(
        'server',
        `ready at ${running.url}; ${warnings.join('; ')}`,
        'Look closer: ephor policy backtests, ephor ledger sinks, ephor ledger witnesses.',
      )
    return ready
      ? ok('server', `ready at ${running.url}`)
      : problem('server', `not ready: ${reasons.join(', ')}`, 'See its log; everything is refused until it is ready.')
  } catch {
    return warning('server', `${running.url} does not answer`, 'It ended without cleaning up, or hangs. Start it again: ephor up.')
  }
}

/** What is sent to other systems, when a server runs that sends it. */
async function checkSinks(io: Io, options: CommonOptions, { home }: EffectiveSettings): Promise<Check[]> {
  if (!readRunFile(home)) return []
  const listed = await connect(io, options)
    .client.listSinks()
    .catch(() => undefined)
  const sinks = listed?.items.filter(({ state }) => state !== 'unset') ?? []
  if (sinks.length === 0) return []
  const failing = sinks.filter(({ state, failures }) => state === 'off' || failures > 0)
  const detail = (failing.length > 0 ? failing : sinks).map(
    ({ name, lag, error }) => `${name}: ${lag} entries behind${error === undefined ? '' : ` (${error})`}`,
  )
  if (failing.length === 0) return [ok('sinks', detail.join('; '))]
  return [warning('sinks', detail.join('; '), 'Put the receiver right; nothing is lost meanwhile: ephor ledger sinks.')]
}

/** Whether the search index holds what the ledger holds. An index can only hide: what is found is read from the ledger. */
async function checkSearch(io: Io, options: CommonOptions, { home }: EffectiveSettings): Promise<Check> {
  if (!readRunFile(home)) return ok('search', 'compared with the ledger while a server runs')
  try {
    const { entries, indexed, counted, sampled, missing } = await connect(io, options).client.getSearchStatus()
    const detail = `${indexed} of ${entries} entries indexed; ${sampled} looked up`
    if (missing === 0 && counted >= indexed) return ok('search', detail)
    return problem('search', `${detail}, ${missing} not found; the index holds ${counted}: it was changed`, 'ephor ledger reindex')
  } catch (error) {
    return warning('search', `not compared: ${(error as Error).message}`, 'See the line about the server.')
  }
}

function checkPort({ home, host, port }: EffectiveSettings): Promise<Check> {
  if (readRunFile(home) || port === 0) return Promise.resolve(ok('port', `${host}:${port}`))
  return new Promise((resolve) => {
    const probe = createServer()
      .once('error', (error: NodeJS.ErrnoException) =>
        resolve(
          problem(
            'port',
            `${host}:${port}: ${error.code === 'EADDRINUSE' ? 'used by another program' : error.message}`,
            'Stop that program, or use another: ephor up --port N.',
          ),
        ),
      )
      .listen(port, host, () => probe.close(() => resolve(ok('port', `${host}:${port} is free`))))
  })
}

function checkClock(settings: EffectiveSettings): Check {
  const checkpoint = outsideOf(settings)
  const year = new Date().getFullYear()
  const last = existsSync(checkpoint) ? statSync(checkpoint).mtimeMs : 0
  const fix = 'Set the clock: tokens and approvals expire by it, and the ledger records it.'
  if (year < 2025) return problem('clock', `it says ${new Date().toISOString()}`, fix)
  if (last > Date.now() + 60_000) return problem('clock', `it is behind the last record, ${new Date(last).toISOString()}`, fix)
  return ok('clock', new Date().toISOString())
}

function checkPolicies({ policyFolder }: EffectiveSettings): Check {
  if (!existsSync(policyFolder)) return ok('policies', `${policyFolder} is filled by the first ephor up`)
  const count = readdirSync(policyFolder).filter((name) => name.endsWith('.cedar')).length
  if (count === 0) return problem('policies', `${policyFolder} has no *.cedar file`, 'Add policies: without one, everything is refused.')
  return ok('policies', `${count} files in ${policyFolder}; ephor policy check looks inside`)
}

function checkSandbox(): Check {
  if (process.platform !== 'linux') return ok('sandbox', 'not used on this system')
  try {
    return ok('sandbox', execFileSync('bwrap', ['--version'], { encoding: 'utf8', timeout: 3000 }).trim())
  } catch {
    return warning(
      'sandbox',
      'bubblewrap is not installed; this version runs tool servers without a sandbox either way',
      'apt-get install bubblewrap (or your system’s package), to be ready for a version that confines them.',
    )
  }
}

async function examine(io: Io, options: CommonOptions): Promise<Check[]> {
  let settings: EffectiveSettings
  try {
    ;({ settings } = loadSettings({
      folder: io.folder,
      environment: io.environment,
      flags: { home: options.home },
      config: options.config,
    }))
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return [checkNode(), problem('settings', error.message, FAULTS[error.code].advice)]
  }
  const { home } = settings
  return [
    checkNode(),
    ok('settings', 'valid; ephor config show lists them'),
    checkHome(home),
    checkKeys(home),
    await checkServer(io, options, settings),
    ...(await checkSinks(io, options, settings)),
    await checkSearch(io, options, settings),
    await checkTables(io, options, settings),
    await checkPort(settings),
    checkClock(settings),
    checkPolicies(settings),
    checkSandbox(),
  ]
}

/** Reads the whole ledger, as nothing less would do. */
async function checkTables(io: Io, options: CommonOptions, { home }: EffectiveSettings): Promise<Check> {
  if (!readRunFile(home)) return ok('tables', 'compared with the ledger while a server runs')
  try {
    const { rows, entries, differs, differences, notCovered } = await connect(io, options).client.checkProjections()
    const [first] = differences
    if (first)
      return problem(
        'tables',
        `STORE_CORRUPT: ${first.table} ${first.key}: ${first.detail}${differs > 1 ? `; and ${differs - 1} more` : ''}`,
        'ephor ledger check lists them. Somebody wrote to the database beside Ephor: restore a backup, keep this one for examination.',
      )
    return ok('tables', `${rows} rows are what ${entries} entries say${notCovered > 0 ? `; ${notCovered} not covered` : ''}`)
  } catch (error) {
    return warning('tables', `not compared: ${(error as Error).message}`, 'See the line about the server.')
  }
}

export function addDoctor(program: Command, io: Io): void {
  const doctor = withCommon(
    program.command('doctor').description('look at this machine and the data folder, and say how to put right what is wrong'),
  )
  doctor.action(async (options: CommonOptions) => {
    const checks = await examine(io, options)
    const bad = checks.some(({ state }) => state === 'problem')
    if (options.json) json(io, { ok: !bad, checks })
    else
      for (const { name, state, detail, fix } of checks) {
        line(io, `${{ ok: 'ok      ', warning: 'warning ', problem: 'PROBLEM ' }[state]} ${name.padEnd(12)} ${plain(detail)}`)
        if (fix !== undefined) line(io, `${' '.repeat(22)}→ ${plain(fix)}`)
      }
    if (bad) throw new ExitCode(EXIT.failed)
  })
  examples(doctor, 'doctor', 'doctor --json')
}
