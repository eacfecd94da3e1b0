/** A tool server as a child process: newline-delimited JSON on its standard streams, its own process group, ended with everything it started. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import type { ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { readLines } from './read-lines.ts'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import type { UpstreamLimits } from './limits.ts'
import type { Wire, WireEvents } from './wire.ts'

export type StdioOptions = {
  command: string
  args: string[]
  env: Record<string, string>
  cwd?: string
  limits: UpstreamLimits
  /** A line of the child's standard error, cut to 4 KiB. */
  onStderr: (line: string) => void
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

const STDERR_LINE = 4096
const SETPRIV = '/usr/bin/setpriv'

/** Groups of children alive now, so that they end with Ephor when it exits without closing them. */
const groups = new Set<number>()
let watchingExit = false

function watchExit(): void {
  if (watchingExit) return
  watchingExit = true
  process.on('exit', () => {
    for (const group of groups) killGroup(group, 'SIGKILL')
  })
}

function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch {
    // Nothing of the group is left.
  }
}

/**
 * The kernel kills the child when Ephor dies, even by SIGKILL, where setpriv (util-linux) is there to ask for it. Without it the child
 * sees its standard input end, on which a well-behaved server exits.
 */
function withDeathSignal(command: string, args: string[]): { command: string; args: string[] } {
  if (process.platform !== 'linux' || !existsSync(SETPRIV)) return { command, args }
  return { command: SETPRIV, args: ['--pdeathsig', 'KILL', '--', command, ...args] }
}

/** Which request a discarded line answered, told from its first or last bytes: where JSON writers put the id. */
export function idOfLine(head: string, tail: string): number | undefined {
  const found =
    /^\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(\d{1,15})\s*,/.exec(head) ??
    /^\s*\{\s*"id"\s*:\s*(\d{1,15})\s*,/.exec(head) ??
    /,\s*"id"\s*:\s*(\d{1,15})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/.exec(tail)
  return found?.[1] === undefined ? undefined : Number(found[1])
}

export class StdioWire implements Wire {
  readonly kind = 'stdio'
  readonly gone: undefined
  readonly #options: StdioOptions
  #child: Child | undefined
  #exited: Promise<void> = Promise.resolve()
  #gone = false

  constructor(options: StdioOptions) {
    this.#options = options
  }

  async open(events: WireEvents): Promise<void> {
    const { cwd, env, limits } = this.#options
    const { command, args } = withDeathSignal(this.#options.command, this.#options.args)
    watchExit()
    // Its own group (and session): one signal ends what it started too, and a Ctrl-C for Ephor is not one for it.
    const child = spawn(command, args, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'], ...(cwd === undefined ? {} : { cwd }) })
    this.#child = child
    this.#exited = new Promise((resolve) => {
      child.once('error', () => resolve())
      child.once('exit', () => resolve())
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (error) => {
        this.#gone = true
        reject(new Fault('UPSTREAM_UNAVAILABLE', `${this.#options.command} cannot be started: ${error.message}`))
      })
    })
    if (child.pid !== undefined) groups.add(child.pid)
    this.#listen(child, events, limits)
  }

  #listen(child: Child, events: WireEvents, limits: UpstreamLimits): void {
    const gone = (reason: string): void => {
      if (this.#gone) return
      this.#gone = true
      this.#endGroup('SIGKILL')
      events.close(reason)
    }
    child.stdout.on(
      'data',
      readLines(
        limits.maxMessageBytes,
        (line) => {
          if (this.#gone || line.trim() === '') return
          try {
            events.message(JSON.parse(line) as Json)
          } catch {
            events.noise(`a line of ${line.length} characters that is not JSON`)
          }
        },
        (head, tail) => events.tooLarge(idOfLine(head, tail)),
      ),
    )
    child.stderr.on(
      'data',
      readLines(STDERR_LINE, this.#options.onStderr, (head, _tail, bytes) => this.#options.onStderr(`${head}… [${bytes} bytes]`)),
    )
    // A server that closes its output can't answer any more, whatever its process still does.
    child.stdout.on('end', () => setTimeout(() => gone('it closed its standard output'), 250).unref())
    child.stdin.on('error', () => {})
    child.stdout.on('error', () => {})
    child.stderr.on('error', () => {})
    child.on('error', (error) => gone(error.message))
    child.on('exit', (code, signal) => {
      this.#endGroup('SIGKILL')
      // What it wrote before it died is still in the pipe: let that be read first.
      const ended = (): void => gone(exitReason(code, signal))
      if (child.stdout.readableEnded) return ended()
      child.stdout.once('end', ended)
      // Unless something that left its group holds the pipe open.
      setTimeout(ended, 1_000).unref()
    })
  }

  async send(message: JsonObject): Promise<void> {
    const stdin = this.#child?.stdin
    if (stdin === undefined || this.#gone || !stdin.writable) throw new Fault('UPSTREAM_UNAVAILABLE', 'the process has ended')
    // A server that does not read must not make Ephor hold its input without bound.
    if (stdin.writableLength > this.#options.limits.maxMessageBytes) {
      throw new Fault('UPSTREAM_UNAVAILABLE', 'the process does not read its input')
    }
    stdin.write(`${JSON.stringify(message)}\n`)
  }

  setProtocolVersion(): void {}

  async close(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.pid === undefined) return
    const { graceMs } = this.#options.limits
    this.#gone = true
    child.stdin.end()
    if (!(await this.#exitedWithin(graceMs))) {
      this.#endGroup('SIGTERM')
      await this.#exitedWithin(graceMs)
    }
    this.#endGroup('SIGKILL')
    await this.#exited
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
  }

  async #exitedWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), ms)
    })
    const ended = await Promise.race([this.#exited.then(() => true), late])
    clearTimeout(timer)
    return ended
  }

  #endGroup(signal: NodeJS.Signals): void {
    const group = this.#child?.pid
    if (group === undefined || !groups.has(group)) return
    killGroup(group, signal)
    if (signal === 'SIGKILL') groups.delete(group)
  }
}

function exitReason(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `its process was ended by ${signal}`
  return code === 127 ? 'its program was not found' : `its process ended with code ${code ?? 'unknown'}`
}
