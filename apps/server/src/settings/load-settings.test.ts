/** Tests of the settings: precedence, where a value came from, and one clear sentence for each mistake. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadSettings } from './load-settings.ts'
import { SETTING_NAMES } from './schema.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'ephor-settings-'))

function load(yaml: string | undefined, environment: Record<string, string> = {}, flags: Record<string, unknown> = {}) {
  const at = folder()
  if (yaml !== undefined) {
    mkdirSync(join(at, '.ephor'))
    writeFileSync(join(at, '.ephor', 'ephor.yaml'), yaml)
  }
  return loadSettings({ folder: at, environment, flags })
}

test('flags win over the environment, the environment over the file, the file over defaults', () => {
  const { settings, effective } = load(
    'port: 1\nhost: 0.0.0.0\nlogLevel: warn\napprovals:\n  ttl: 20m\n',
    { EPHOR_PORT: '2', EPHOR_LOG_LEVEL: 'error', EPHOR_APPROVALS_WAIT: '3s' },
    { port: '3' },
  )
  expect(settings).toMatchObject({ port: 3, host: '0.0.0.0', logLevel: 'error', approvals: { ttl: 1_200_000, wait: 3000 }, demo: true })
  const sources = Object.fromEntries(effective.map(({ name, source }) => [name, source]))
  expect(sources).toMatchObject({
    port: 'flag',
    host: 'file',
    logLevel: 'environment',
    'approvals.ttl': 'file',
    'approvals.wait': 'environment',
    demo: 'default',
  })
  expect(effective.find(({ name }) => name === 'logLevel')?.from).toBe('EPHOR_LOG_LEVEL')
})

test('paths are absolute, and the policies are in the data folder unless set', () => {
  const { settings } = load(undefined)
  expect(settings.home).toMatch(/^\/.*\.ephor$/)
  expect(settings.policyFolder).toBe(join(settings.home, 'policies'))
})

test('an unknown setting is named together with what was probably meant', () => {
  expect(() => load('prot: 7000\n')).toThrow(/ephor\.yaml has an unknown setting "prot"; did you mean "port"\?/)
  expect(() => load('limits:\n  bodyByte: 4096\n')).toThrow(/"limits\.bodyByte"; did you mean "limits\.bodyBytes"\?/)
  expect(() => load(undefined, { EPHOR_PROT: '1' })).toThrow(
    /the environment has an unknown setting "EPHOR_PROT"; did you mean "EPHOR_PORT"\?/,
  )
  expect(() => load('zzzzzzzzzz: 1\n')).toThrow(/unknown setting "zzzzzzzzzz"$/)
})

test('a value that does not fit says which, from where, and what it should be', () => {
  expect(() => load(undefined, { EPHOR_PORT: '70000' })).toThrow('the setting "port" (from EPHOR_PORT) must be at most 65535')
  expect(() => load('calls:\n  timeout: soon\n')).toThrow(/"calls\.timeout" \(from .*ephor\.yaml\) must be a length of time/)
  expect(() => load(undefined, { EPHOR_DEMO: 'maybe' })).toThrow('the setting "demo" (from EPHOR_DEMO) must be true or false')
  expect(() => load('limits: 5\n')).toThrow(/"limits" must be a list/)
})

test('the address of the database may hold paths, and a misspelt option for TLS is refused: it would leave the connection open', () => {
  const urlOf = (query: string) =>
    load(undefined, { EPHOR_STORE_URL: `postgres://ephor:x@db.example:5432/ephor${query}` }).settings.store.url
  const query = '?sslmode=verify-full&sslrootcert=/etc/ephor/ca.pem&sslcert=/etc/ephor/own.pem&sslkey=/etc/ephor/own.key'
  expect(urlOf(query)).toContain(query)
  expect(urlOf('')).toBe('postgres://ephor:x@db.example:5432/ephor')
  expect(load(undefined, { EPHOR_STORE_URL: 'postgres:///ephor?host=/run/postgresql' }).settings.store.url).toContain('/run/postgresql')
  expect(() => urlOf('?ssl_mode=verify-full')).toThrow('"store.url" (from EPHOR_STORE_URL) has an option for TLS that is none')
  expect(() => urlOf('?sslmode=verify_full')).toThrow('has an sslmode that is none of disable,')
  for (const other of ['/more', '/?sslmode=verify-full', '/more?a=/b']) expect(() => urlOf(other)).toThrow('must be an address such as')
})

test('a file that is not YAML is reported with its place, a missing one by its name', () => {
  expect(() => load('port: [1\n')).toThrow(/ephor\.yaml:\d+:\d+ is not YAML/)
  expect(() => loadSettings({ folder: folder(), environment: {}, flags: {}, config: 'none.yaml' })).toThrow(/can't be read.*none\.yaml/)
  expect(() => load('home: elsewhere\n')).toThrow(/"home" can't be set in the file/)
})

test('the words of clients are not settings of the server', () => {
  expect(() => load(undefined, { EPHOR_URL: 'http://x', EPHOR_CREDENTIAL: 'eph_x' })).not.toThrow()
})

test('every setting has words that explain it, and its own names', () => {
  expect(SETTING_NAMES.every(({ description }) => description.length > 10)).toBe(true)
  expect(SETTING_NAMES.find(({ path }) => path === 'limits.bodyBytes')).toMatchObject({
    environment: 'EPHOR_LIMITS_BODY_BYTES',
    flag: '--limits-body-bytes',
  })
})
