/** The rules of the house, asserted from the real files: who imports whom, whose tables are whose, one word per concept. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const ENGINE = 'packages/engine/src/'

/** Floors from the ground up; a room may import the floors below its own, never a neighbour. */
const FLOORS: string[][] = [
  ['contract', 'cedar', 'proof'],
  ['kernel'],
  ['ledger'],
  ['identity', 'registry', 'policy', 'labels', 'guards', 'vault', 'sandbox', 'budgets'],
  ['approvals', 'rollouts', 'backtests', 'thresholds', 'outbox'],
  ['broker'],
  ['gateway', 'doors'],
  ['server'],
  ['cli', 'console'],
]
/** Exceptions that the architecture names: contract is below everything, and clients know nothing of the engine. */
const ONLY: Record<string, string[]> = { sdk: ['contract', 'proof'], console: ['contract', 'sdk'], testkit: [] }
const EXTRA: Record<string, string[]> = { cli: ['sdk'] }
const CAPABILITIES = FLOORS.slice(1, 7).flat()

type Source = { path: string; text: string; room: string; isTest: boolean }

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name === 'coverage') return []
    const path = posix.join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

function roomOf(path: string): string {
  if (path.startsWith(ENGINE)) return path.slice(ENGINE.length).split('/')[0] ?? ''
  return path.split('/')[1] ?? ''
}

const files = ['packages', 'apps', 'test', 'bench', 'scripts', 'policies']
  .filter((folder) => existsSync(join(ROOT, folder)))
  .flatMap(filesBelow)
const sources: Source[] = files
  .filter((path) => /\.(ts|mts|mjs|js)$/.test(path))
  .map((path) => ({
    path,
    text: readFileSync(join(ROOT, path), 'utf8'),
    room: roomOf(path),
    isTest: path.endsWith('.test.ts') || path.endsWith('.fixture.ts') || path.startsWith('test/') || path.startsWith('bench/'),
  }))
const code = sources.filter(({ path, isTest }) => !isTest && /^(packages|apps)\//.test(path) && path.endsWith('.ts'))

type Import = { from: Source; to: string; room: string }

/** Static and dynamic imports, re-exports, and modules named by URL (worker threads). */
function importsOf(source: Source): Import[] {
  const found = source.text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'|new URL\('(\.[^']+\.ts)'/g)
  return [...found].flatMap((match) => {
    const to = match[1] ?? match[2] ?? ''
    if (to.startsWith('.')) {
      const path = posix.normalize(posix.join(posix.dirname(source.path), to))
      return [{ from: source, to: path, room: roomOf(path) }]
    }
    const own = /^@ephor\/(?:engine\/)?([a-z]+)$/.exec(to)
    return own?.[1] === undefined ? [] : [{ from: source, to, room: own[1] }]
  })
}
const imports = code.flatMap(importsOf)

function mayImport(from: string, to: string): boolean {
  if (from === to) return true
  const only = ONLY[from]
  if (only) return only.includes(to)
  if (EXTRA[from]?.includes(to)) return true
  const [own, other] = [FLOORS.findIndex((floor) => floor.includes(from)), FLOORS.findIndex((floor) => floor.includes(to))]
  return other >= 0 && own > other
}

test('the scan found the house', () => {
  expect(sources.length).toBeGreaterThan(100)
  expect(code.length).toBeGreaterThan(60)
  expect(imports.length).toBeGreaterThan(200)
  expect(new Set(code.map(({ room }) => room)).size).toBeGreaterThan(8)
})

test('every room has its floor', () => {
  const known = new Set([...FLOORS.flat(), ...Object.keys(ONLY)])
  expect([...new Set(code.map(({ room }) => room))].filter((room) => !known.has(room))).toEqual([])
})

test('imports only go down, and neighbours never meet', () => {
  const wrong = imports.filter(({ from, room }) => from.room !== 'testkit' && !mayImport(from.room, room))
  expect(wrong.map(({ from, to }) => `${from.path} -> ${to}`)).toEqual([])
})

test('across rooms, only the door is imported', () => {
  const wrong = imports.filter(({ from, to, room }) => !to.startsWith('@ephor/') && room !== from.room)
  expect(wrong.map(({ from, to }) => `${from.path} -> ${to}`)).toEqual([])
})

test('only tests import the testkit', () => {
  const wrong = imports.filter(({ from, room }) => room === 'testkit' && from.room !== 'testkit')
  expect(wrong.map(({ from }) => from.path)).toEqual([])
})

test('no room imports itself in a circle, types aside', () => {
  const edges = new Map<string, string[]>()
  for (const source of code) {
    const targets = [...source.text.matchAll(/^(?:import|export) (?!type\b)[^']*from '(\.[^']+)'/gm)]
    edges.set(
      source.path,
      targets.map(([, to = '']) => posix.normalize(posix.join(posix.dirname(source.path), to))),
    )
  }
  const state = new Map<string, 'open' | 'done'>()
  const circles: string[] = []
  const visit = (path: string, trail: string[]) => {
    if (state.get(path) === 'done') return
    if (state.get(path) === 'open') {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
      return
    }
    state.set(path, 'open')
    for (const to of edges.get(path) ?? []) visit(to, [...trail, path])
    state.set(path, 'done')
  }
  for (const path of edges.keys()) visit(path, [])
  expect(circles).toEqual([])
})

test('each table belongs to the room that its name begins with, and says whose tenant a row is', () => {
  const migrations = files.filter((path) => path.endsWith('.sql'))
  expect(migrations.length).toBeGreaterThan(4)
  for (const path of migrations) {
    const text = readFileSync(join(ROOT, path), 'utf8')
    for (const [statement, name = ''] of text.matchAll(/CREATE TABLE (?:IF NOT EXISTS )?(\w+)[^;]*;/g)) {
      expect(name, path).toMatch(new RegExp(`^${roomOf(path)}_`))
      expect(statement, `${path}: ${name}`).toMatch(/tenant\s+TEXT\s+NOT NULL/)
    }
  }
})

test('only stores, and the code that runs in the store’s thread, speak SQL, and only to their own tables', () => {
  const tables = files
    .filter((path) => path.endsWith('.sql'))
    .flatMap((path) =>
      [...readFileSync(join(ROOT, path), 'utf8').matchAll(/CREATE TABLE (?:IF NOT EXISTS )?(\w+)/g)].map(([, name = '']) => name),
    )
  const wrong = code
    .filter(({ path }) => path.startsWith(ENGINE))
    .flatMap((source) =>
      tables
        .filter((table) => new RegExp(`(?:FROM|INTO|UPDATE|JOIN|selectFrom\\('|TABLE) ?${table}\\b`).test(source.text))
        .filter((table) => !table.startsWith(`${source.room}_`) || !/\/(?:store|[a-z-]*-?thread|[a-z-]*store)\.ts$/.test(source.path))
        .map((table) => `${source.path}: ${table}`),
    )
  expect(tables.length).toBeGreaterThan(8)
  expect(wrong).toEqual([])
})

test('a capability has a door and says on a screen what it is', () => {
  for (const room of new Set(code.filter(({ path }) => path.startsWith(ENGINE)).map(({ room }) => room))) {
    expect(existsSync(join(ROOT, ENGINE, room, 'index.ts')), `${room}/index.ts`).toBe(true)
    expect(existsSync(join(ROOT, ENGINE, room, 'README.md')), `${room}/README.md`).toBe(true)
    expect(CAPABILITIES).toContain(room)
  }
})

test('a concept has one word: folder, table prefix, URL and command', () => {
  const paths = sources
    .filter(({ path }) => path.startsWith('packages/contract/src/'))
    .flatMap(({ text }) => [...text.matchAll(/path: '\/v1\/([a-z]+)/g)].map(([, word = '']) => word))
  const words = new Set([
    'servers',
    'tools',
    'agents',
    'credentials',
    'vault',
    'principal',
    'people',
    'links',
    'sessions',
    'tokens',
    'approvals',
    'policy',
    'budgets',
    'calls',
    'decisions',
    'ledger',
    'events',
    'health',
  ])
  expect(paths.length).toBeGreaterThan(20)
  expect(paths.filter((word) => !words.has(word))).toEqual([])
  const others = /\b(audit ?log|auditLog|blockchain|whitelist|blacklist|sanitise|user ?story)\b/i
  expect(code.filter(({ text }) => others.test(text)).map(({ path }) => path)).toEqual([])
})

test('there are no default exports and no star exports', () => {
  const wrong = sources.filter(({ path, text }) => !path.endsWith('.config.ts') && /^export (?:default\b|\*)/m.test(text))
  expect(wrong.map(({ path }) => path)).toEqual([])
})

test('every file opens with a sentence on what it is for', () => {
  const wrong = sources.filter(({ text }) => !/^(?:#!.*\n)?(?:\/\*\*?(?:\n \*)?|\/\/) ?\S[^\n]{15,}/.test(text))
  expect(wrong.map(({ path }) => path)).toEqual([])
})

test('files and functions stay small enough to read', () => {
  const long = sources.filter(({ text, isTest }) => text.split('\n').length > (isTest ? 520 : 320))
  expect(long.map(({ path, text }) => `${path}: ${text.split('\n').length}`)).toEqual([])
})

test('no machine path, registry host or private key is in a file', () => {
  const hosts = new RegExp(['registry', 'npmjs'].join('\\.') + '|://deb\\.', 'i')
  const machine = /(?:^|[\s'"`(])\/(?:home|root|Users)\/[a-z]/m
  const key = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END/
  const wrong = sources.filter(
    ({ path, text }) => path !== relative(ROOT, import.meta.filename) && (hosts.test(text) || machine.test(text) || key.test(text)),
  )
  expect(wrong.map(({ path }) => path)).toEqual([])
})
