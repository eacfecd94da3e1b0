/** Starts one connection to a tool server: secrets resolved, the wire opened, the revision found, all within the start time-out. */
import { Fault } from '@ephor/contract'
import type { JsonObject, Logger } from '@ephor/engine/kernel'
import type { Transport } from '@ephor/engine/registry'
import { childEnv } from './child-env.ts'
import { HttpWire } from './http-wire.ts'
import { negotiate } from './negotiate.ts'
import { Peer } from './peer.ts'
import { RateLimit } from './rate-limit.ts'
import { StdioWire } from './stdio-wire.ts'
import { UpstreamError } from './upstream-error.ts'
import type { Greeting } from './negotiate.ts'
import type { UpstreamLimits } from './limits.ts'
import type { Wire } from './wire.ts'

export type OpenOptions = {
  transport: Transport
  resolveSecret: (text: string) => string
  clientInfo: JsonObject
  limits: UpstreamLimits
  log: Logger
  /** Skips the probe for the stateless revision. */
  known?: 'stateful'
}

export type Opened = { peer: Peer; greeting: Greeting }

const STDERR_LINES_PER_SECOND = 50

/** Resolves references and remembers what they stood for, so that the log can be kept free of it. */
function secretResolver(resolve: (text: string) => string): {
  text: (value: string) => string
  record: (r: Record<string, string>) => Record<string, string>
  hide: (line: string) => string
} {
  const values = new Set<string>()
  const text = (value: string): string => {
    const resolved = resolve(value)
    if (resolved !== value && resolved !== '') values.add(resolved)
    return resolved
  }
  return {
    text,
    record: (record) => Object.fromEntries(Object.entries(record).map(([name, value]) => [name, text(value)])),
    hide: (line) => [...values].reduce((hidden, value) => hidden.replaceAll(value, '[redacted]'), line),
  }
}

function wireTo({ transport, resolveSecret, limits, log }: OpenOptions): Wire {
  const secrets = secretResolver(resolveSecret)
  if (transport.type === 'http')
    return new HttpWire({ url: secrets.text(transport.url), headers: secrets.record(transport.headers), limits })
  const stderrLog = new RateLimit(STDERR_LINES_PER_SECOND)
  return new StdioWire({
    command: secrets.text(transport.command),
    args: transport.args.map(secrets.text),
    env: childEnv(process.env, secrets.record(transport.env)),
    ...(transport.cwd === undefined ? {} : { cwd: transport.cwd }),
    limits,
    onStderr: (line) => {
      if (stderrLog.take()) log.info({ stderr: secrets.hide(line) }, 'the tool server wrote to its standard error')
    },
  })
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Fault('UPSTREAM_UNAVAILABLE', `the tool server did not start within ${ms} ms`)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

async function attempt(options: OpenOptions): Promise<Opened> {
  const wire = wireTo(options)
  const peer = new Peer(wire, options.limits, options.log)
  try {
    const greeting = await within(
      peer.open().then(() => negotiate(peer, wire.kind, options.clientInfo, options.limits, options.known)),
      options.limits.startTimeoutMs,
    )
    return { peer, greeting }
  } catch (error) {
    await peer.close('it could not be started')
    throw error
  }
}

/** Any failure before the handshake is done means that no call was taken. */
function unavailable(error: unknown): unknown {
  if (error instanceof UpstreamError)
    return new Fault('UPSTREAM_UNAVAILABLE', `the tool server refused the handshake: ${error.message.slice(0, 200)}`)
  if (error instanceof Fault && error.code.startsWith('UPSTREAM_'))
    return new Fault('UPSTREAM_UNAVAILABLE', error.message, { cause: error })
  return error
}

/** @throws Fault UPSTREAM_UNAVAILABLE, SECRET_UNKNOWN, SETTINGS_INVALID */
export async function openConnection(options: OpenOptions): Promise<Opened> {
  try {
    return await attempt(options).catch((error: unknown) => {
      // Some older servers exit on any request before "initialize": start them once more without the probe.
      const diedOnProbe = error instanceof Fault && error.code === 'UPSTREAM_DIED' && options.known === undefined
      if (diedOnProbe && options.transport.type === 'stdio') return attempt({ ...options, known: 'stateful' })
      throw error
    })
  } catch (error) {
    throw unavailable(error)
  }
}
