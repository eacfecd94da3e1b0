/** Which revision a tool server speaks: 2026-07-28 by `server/discover`, else the handshake of 2025-11-25 and before. */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  LATEST_PROTOCOL_VERSION,
  PROTOCOL_VERSION_META_KEY,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/client'
import { Fault } from '@ephor/contract'
import { isObject } from './peer.ts'
import { STATELESS_REVISION } from './request-headers.ts'
import { UpstreamError } from './upstream-error.ts'
import type { Json, JsonObject } from '@ephor/engine/kernel'
import type { UpstreamLimits } from './limits.ts'
import type { Peer } from './peer.ts'

/** What agents' clients may be capable of; whether a server gets to use it is decided by policy, call by call. */
const CLIENT_CAPABILITIES: JsonObject = { sampling: {}, elicitation: { form: {}, url: {} }, roots: {} }

export type Greeting = { stateless: boolean; protocolVersion: string; capabilities: JsonObject; instructions?: string }

/** The reserved `_meta` keys of one request (2026-07-28, basic). */
export function envelope(clientInfo: JsonObject, capabilities: Json = CLIENT_CAPABILITIES): JsonObject {
  return {
    [PROTOCOL_VERSION_META_KEY]: STATELESS_REVISION,
    [CLIENT_INFO_META_KEY]: clientInfo,
    [CLIENT_CAPABILITIES_META_KEY]: capabilities,
  }
}

function greetingOf(result: JsonObject, stateless: boolean, protocolVersion: string): Greeting {
  const { capabilities, instructions } = result
  return {
    stateless,
    protocolVersion,
    capabilities: isObject(capabilities) ? capabilities : {},
    ...(typeof instructions === 'string' ? { instructions } : {}),
  }
}

function statelessGreeting(result: JsonObject): Greeting | undefined {
  const versions = result['supportedVersions']
  return Array.isArray(versions) && versions.includes(STATELESS_REVISION) ? greetingOf(result, true, STATELESS_REVISION) : undefined
}

async function initialize(peer: Peer, clientInfo: JsonObject, timeoutMs: number): Promise<Greeting> {
  const params = { protocolVersion: LATEST_PROTOCOL_VERSION, capabilities: CLIENT_CAPABILITIES, clientInfo }
  const result = await peer.request('initialize', params, { timeoutMs })
  const version = result['protocolVersion']
  if (typeof version !== 'string' || !SUPPORTED_PROTOCOL_VERSIONS.includes(version)) {
    throw new Fault('UPSTREAM_UNAVAILABLE', 'the server speaks no revision of MCP that Ephor knows')
  }
  return greetingOf(result, false, version)
}

/**
 * Any answer but a list with 2026-07-28 is taken as an older server; so is silence on standard streams, where `initialize` goes out
 * too and whichever is answered first counts (a slow start must not be taken for an old revision).
 * @throws Fault UPSTREAM_UNAVAILABLE
 */
async function probe(peer: Peer, kind: 'stdio' | 'http', clientInfo: JsonObject, limits: UpstreamLimits): Promise<Greeting> {
  const discover = peer
    .request('server/discover', { _meta: envelope(clientInfo) }, { timeoutMs: limits.startTimeoutMs })
    .then(statelessGreeting, (error: unknown) => {
      if (error instanceof UpstreamError || (error instanceof Fault && error.code === 'UPSTREAM_ERROR')) return undefined
      throw error
    })
  if (kind === 'http') return (await discover) ?? (await initialize(peer, clientInfo, limits.startTimeoutMs))
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<'silence'>((resolve) => {
    timer = setTimeout(() => resolve('silence'), limits.probeTimeoutMs)
  })
  const first = await Promise.race([discover, silence]).finally(() => clearTimeout(timer))
  if (first !== 'silence') return first ?? (await initialize(peer, clientInfo, limits.startTimeoutMs))
  const late = discover.then((greeting) => greeting ?? Promise.reject(new Error('no stateless revision')))
  return Promise.any([late, initialize(peer, clientInfo, limits.startTimeoutMs)]).catch((error: AggregateError) => {
    throw error.errors[1]
  })
}

/** @param known skips the probe for a server that was found to speak only older revisions. */
export async function negotiate(
  peer: Peer,
  kind: 'stdio' | 'http',
  clientInfo: JsonObject,
  limits: UpstreamLimits,
  known?: 'stateful',
): Promise<Greeting> {
  const greeting = await (known === 'stateful'
    ? initialize(peer, clientInfo, limits.startTimeoutMs)
    : probe(peer, kind, clientInfo, limits))
  peer.stateless = greeting.stateless
  peer.setProtocolVersion(greeting.protocolVersion)
  if (!greeting.stateless) await peer.notify('notifications/initialized', {})
  return greeting
}
