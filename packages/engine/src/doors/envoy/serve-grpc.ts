/** Envoy's external authorization over gRPC (envoy.service.auth.v3): a listener of its own, which a proxy asks before each request. */
import { fileURLToPath } from 'node:url'
import { Fault } from '@ephor/contract'
import type { AgentPrincipal } from '@ephor/contract'
import type { Logger } from '@ephor/engine/kernel'
import { loadPackageDefinition, Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { handleUnaryCall, sendUnaryData, ServiceClientConstructor } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { toObligations } from '../authzen/evaluate.ts'
import type { DoorRooms } from '../rooms.ts'
import { check } from './check.ts'
import type { Checked } from './check.ts'
import type { HeldRequest } from './read-request.ts'

const PROTO = fileURLToPath(new URL('./authorization.proto', import.meta.url))

type CheckRequest = {
  attributes: { request: { http: HeldRequest | null } | null; contextExtensions: Record<string, string> } | null
}

export type EnvoyServer = { port: number; close(): Promise<void> }

export type EnvoyOptions = {
  rooms: DoorRooms
  /** @throws Fault UNAUTHENTICATED and its kin */
  identify: (bearer: string) => Promise<AgentPrincipal>
  /** `127.0.0.1:7374`; port 0 takes a free one. */
  listen: string
  log: Logger
}

/** The well-known JSON-like value of protobuf, from plain JSON. */
function toValue(json: unknown): object {
  if (typeof json === 'string') return { stringValue: json }
  if (typeof json === 'number') return { numberValue: json }
  if (typeof json === 'boolean') return { boolValue: json }
  if (Array.isArray(json)) return { listValue: { values: json.map(toValue) } }
  if (typeof json === 'object' && json !== null) return { structValue: toStruct(json) }
  return { nullValue: 'NULL_VALUE' }
}

function toStruct(json: object): { fields: Record<string, object> } {
  return { fields: Object.fromEntries(Object.entries(json).map(([name, value]) => [name, toValue(value)])) }
}

const header = (key: string, value: string) => ({ header: { key, value } })

/** What the client of a refused request is told: the reason's code and the decision, nothing of the policies. */
export function refusalBody({ decision, reason }: Extract<Checked, { allowed: false }>): string {
  return JSON.stringify({ title: 'Refused', status: 403, code: reason, ...(decision === undefined ? {} : { decision }) })
}

function toResponse(checked: Checked): object {
  const named = checked.decision === undefined ? [] : [header('x-ephor-decision', checked.decision)]
  if (checked.allowed) {
    const { decision, obligations } = checked
    return {
      status: { code: status.OK },
      okResponse: { headers: named },
      dynamicMetadata: toStruct({ decision, obligations: toObligations(obligations) }),
    }
  }
  return {
    status: { code: status.PERMISSION_DENIED, message: checked.reason },
    deniedResponse: {
      status: { code: 403 },
      headers: [...named, header('content-type', 'application/problem+json')],
      body: refusalBody(checked),
    },
    dynamicMetadata: toStruct({ reason: checked.reason, ...(checked.decision === undefined ? {} : { decision: checked.decision }) }),
  }
}

function makeCheck({ rooms, identify, log }: EnvoyOptions): handleUnaryCall<CheckRequest, object> {
  async function answer(request: CheckRequest, authorization: string): Promise<object> {
    const who = await identify(authorization.replace(/^Bearer +/i, ''))
    const http = request.attributes?.request?.http
    if (!http) throw new Fault('REQUEST_INVALID', 'the request has no HTTP attributes')
    return toResponse(await check(rooms, who, request.attributes?.contextExtensions['application'], http))
  }
  /** Envoy denies on any error, as long as it is set up with failure_mode_allow: false. */
  function toError(error: unknown): { code: number; details: string } {
    const fault = error instanceof Fault ? error : undefined
    if (!fault || fault.status >= 500) log.error({ err: error }, 'a check could not be answered')
    const code = fault?.status === 401 ? status.UNAUTHENTICATED : fault?.status === 403 ? status.PERMISSION_DENIED : status.INTERNAL
    return { code, details: fault?.code ?? 'INTERNAL' }
  }
  async function respond(request: CheckRequest, authorization: string, callback: sendUnaryData<object>): Promise<void> {
    let response: object
    try {
      response = await answer(request, authorization)
    } catch (error) {
      return callback(toError(error))
    }
    callback(null, response)
  }
  return (call, callback) => void respond(call.request, String(call.metadata.get('authorization')[0] ?? ''), callback)
}

/** @throws the system's error when the address can't be listened on */
export async function serveEnvoy(options: EnvoyOptions): Promise<EnvoyServer> {
  const definition = loadSync(PROTO, { defaults: true, longs: Number, enums: String })
  const loaded = loadPackageDefinition(definition) as unknown as {
    envoy: { service: { auth: { v3: { Authorization: ServiceClientConstructor } } } }
  }
  const server = new Server({ 'grpc.max_receive_message_length': 1024 * 1024 })
  server.addService(loaded.envoy.service.auth.v3.Authorization.service, { Check: makeCheck(options) })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(options.listen, ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)))
  })
  options.log.info({ listen: options.listen, port }, 'Envoy may ask here (ext_authz, gRPC)')
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        const force = setTimeout(() => server.forceShutdown(), 2000)
        server.tryShutdown(() => {
          clearTimeout(force)
          resolve()
        })
      }),
  }
}
