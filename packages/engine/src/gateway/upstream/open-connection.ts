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

/** Resolves references and remembers what they stood for, so that the log and every reason given can be kept free of it. */
class SecretResolver {
  readonly #resolve: (text: string) => string
  readonly #values = new Set<string>()

  constructor(resolve: (text: string) => string) {
    this.#resolve = resolve
  }

  text(value: string): string {
    const resolved = this.#resolve(value)
    if (resolved === value || resolved === '') return resolved
    this.#values.add(resolved)
    // A server may repeat the token without the scheme before it.
    const token = resolved.split(' ').at(-1)
    if (token !== undefined && token.length >= 8) this.#values.add(token)
    return resolved
  }

  record(record: Record<string, string>): Record<string, string> {
    return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, this.text(value)]))
  }

  hide(line: string): string {
    let hidden = line
    for (const value of this.#values) hidden = hidden.replaceAll(value, '[redacted]')
    return hidden
  }
}

function wireTo({ transport, limits, log }: OpenOptions, secrets: SecretResolver): Wire {
  const hide = (text: string): string => secrets.hide(text)
  if (transport.type === 'http')
    return new HttpWire({ url: secrets.text(transport.url), headers: secrets.record(transport.headers), limits, hide })
  const stderrLog = new RateLimit(STDERR_LINES_PER_SECOND)
  return new StdioWire({
    command: secrets.text(transport.command),
    args: transport.args.map((argument) => secrets.text(argument)),
    env: childEnv(process.env, secrets.record(transport.env)),
    ...(transport.cwd === undefined ? {} : { cwd: transport.cwd }),
    limits,
    onStderr: (line) => {
      if (stderrLog.take()) log.info({ stderr: hide(line) }, 'the tool server wrote to its standard error')
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

async function attempt(options: OpenOptions, secrets: SecretResolver): Promise<Opened> {
  const wire = wireTo(options, secrets)
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
function unavailable(error: unknown, secrets: SecretResolver): unknown {
  if (error instanceof UpstreamError) {
    return new Fault('UPSTREAM_UNAVAILABLE', `the tool server refused the handshake: ${secrets.hide(error.message).slice(0, 200)}`)
  }
  if (!(error instanceof Fault) || !error.code.startsWith('UPSTREAM_')) return error
  return new Fault('UPSTREAM_UNAVAILABLE', secrets.hide(error.message), { cause: error })
}

/** @throws Fault UPSTREAM_UNAVAILABLE, SECRET_UNKNOWN, SETTINGS_INVALID */
export async function openConnection(options: OpenOptions): Promise<Opened> {
  const secrets = new SecretResolver(options.resolveSecret)
  try {
    return await attempt(options, secrets).catch((error: unknown) => {
      // Some older servers exit on any request before "initialize": start them once more without the probe.
      const diedOnProbe = error instanceof Fault && error.code === 'UPSTREAM_DIED' && options.known === undefined
      if (diedOnProbe && options.transport.type === 'stdio') return attempt({ ...options, known: 'stateful' }, secrets)
      throw error
    })
  } catch (error) {
    throw unavailable(error, secrets)
  }
}
