/** Story: Envoy asks before each request, over gRPC and over HTTP, with the sample configuration of the guide. */
import { cpSync, mkdtempSync, readFileSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js'
import type { ServiceClientConstructor } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '../..')
const FIXTURES = join(ROOT, 'packages/engine/src/policy/applications/fixtures')
const PROTO = join(ROOT, 'packages/engine/src/doors/envoy/authorization.proto')

type Loose = ReturnType<typeof JSON.parse>

let ephor: EphorProcess
let credential: string
let port: number

beforeAll(async () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-envoy-')))
  cpSync(FIXTURES, join(home, 'applications'), { recursive: true })
  port = await freePort()
  ephor = await startEphor({ home, environment: { EPHOR_ENVOY_LISTEN: `127.0.0.1:${port}` } })
  credential = (await ephor.addAgent('records-gateway')).credential
}, 90_000)
afterAll(() => ephor.stop())

function check(http: object, bearer = credential, application?: string): Promise<Loose> {
  const loaded = loadPackageDefinition(loadSync(PROTO, { defaults: true })) as Loose
  const Authorization = loaded.envoy.service.auth.v3.Authorization as ServiceClientConstructor
  const client = new Authorization(`127.0.0.1:${port}`, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${bearer}`)
  const request = {
    attributes: { request: { http }, contextExtensions: application === undefined ? {} : { application } },
  }
  return new Promise<Loose>((resolve, reject) => {
    client['Check']?.(request, metadata, (error: unknown, response: Loose) => (error ? reject(error) : resolve(response)))
  }).finally(() => client.close())
}

const http = (method: string, path: string, user: string | undefined, host = 'records.example') => ({
  method,
  path,
  host,
  scheme: 'https',
  headers: user === undefined ? {} : { 'x-user': user },
})

test('over gRPC a permitted request goes on, and the decision is on record', async () => {
  const response = await check(http('GET', '/records/record-1?verbose=1', 'alice'))
  expect(response.status.code).toBe(0)
  const decision = response.okResponse.headers[0].header.value
  expect(response.okResponse.headers[0].header.key).toBe('x-ephor-decision')
  expect(response.dynamicMetadata.fields.decision.stringValue).toBe(decision)
  expect(await ephor.operator.showDecision({ params: { id: decision } })).toMatchObject({
    door: 'envoy',
    server: 'records',
    tool: 'read',
    effect: 'permit',
  })
})

test.each([
  ['what no policy permits', http('PUT', '/records/record-1', 'bob')],
  ['a path that can be read in two ways', http('GET', '/records/%2e%2e/secrets', 'alice')],
  ['nobody', http('GET', '/records/record-1', undefined)],
  ['another host', http('GET', '/records/record-1', 'alice', 'elsewhere.example')],
  ['what has no route', http('DELETE', '/records/record-1', 'alice')],
])('over gRPC %s is refused with 403 and says nothing of the policies', async (_what, request) => {
  const response = await check(request)
  expect(response.status.code).toBe(7)
  expect(response.deniedResponse.body).not.toMatch(/Writers|records\//)
  expect(JSON.parse(response.deniedResponse.body)).toMatchObject({ status: 403, code: expect.any(String) })
})

test('over gRPC a stranger gets an error, on which Envoy denies', async () => {
  await expect(check(http('GET', '/records/record-1', 'alice'), 'nonsense')).rejects.toMatchObject({ code: 16 })
  const { credential: other } = await ephor.addAgent('another')
  await expect(check(http('GET', '/records/record-1', 'alice'), other)).rejects.toMatchObject({ code: 7 })
  await expect(check(http('GET', '/records/record-1', 'alice'), credential, 'todo')).rejects.toMatchObject({ code: 7 })
})

async function held(method: string, path: string, headers: Record<string, string>): Promise<Response> {
  // fetch would resolve dot segments by itself, and does not let the Host be set.
  const { request } = await import('node:http')
  const { hostname, port: own } = new URL(ephor.url)
  return new Promise((resolve, reject) => {
    const asked = request(
      { hostname, port: own, method, path: `/envoy/v1/check${path}`, headers: { host: 'records.example', ...headers } },
      (answer) => {
        let text = ''
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()))
        answer.on('end', () =>
          resolve(new Response(text, { status: answer.statusCode ?? 0, headers: answer.headers as Record<string, string> })),
        )
      },
    )
    asked.on('error', reject)
    asked.end(method === 'PUT' ? 'a body that is none of ours' : undefined)
  })
}

test('over HTTP 200 lets a request go on, and everything else holds it', async () => {
  const own = { 'x-ephor-credential': credential }
  const permitted = await held('GET', '/records/record-1', { ...own, 'x-user': 'alice', authorization: 'Bearer of-the-client' })
  expect(permitted.status).toBe(200)
  expect(permitted.headers.get('x-ephor-decision')).toMatch(/^dec_/)
  expect((await held('PUT', '/records/record-1', { ...own, 'x-user': 'alice', 'content-type': 'text/plain' })).status).toBe(200)
  expect((await held('PUT', '/records/record-1', { ...own, 'x-user': 'bob' })).status).toBe(403)
  expect((await held('GET', '/records/../v1/policy', { ...own, 'x-user': 'alice' })).status).toBe(403)
  expect((await held('GET', '/records/record-1', { 'x-user': 'alice' })).status).toBe(401)
  expect((await held('GET', '/records/record-1', { 'x-ephor-credential': 'x', 'x-user': 'alice' })).status).toBe(401)
})

test('the sample configuration of the guide is YAML that points here', () => {
  const guide = readFileSync(join(ROOT, 'docs/guide/envoy.md'), 'utf8')
  const [grpc, overHttp] = [...guide.matchAll(/```yaml\n(# Envoy[\s\S]*?)```/g)].map(([, text = '']) => parse(text))
  const [filter] = grpc.static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters.slice(-2)
  expect(filter.typed_config).toMatchObject({ failure_mode_allow: false, transport_api_version: 'V3' })
  const { cluster_name } = filter.typed_config.grpc_service.envoy_grpc
  const cluster = grpc.static_resources.clusters.find(({ name }: Loose) => name === cluster_name)
  expect(cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address).toEqual({
    address: '127.0.0.1',
    port_value: 7374,
  })
  expect(overHttp.typed_config.http_service).toMatchObject({ path_prefix: '/envoy/v1/check' })
  expect(overHttp.typed_config.failure_mode_allow).toBe(false)
})
