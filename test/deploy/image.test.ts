/** The image: linted, made of no more than it needs, and what it would contain runs as another user who can write nothing but the data folder. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '@ephor/testkit'
import { validate } from 'dockerfile-utils'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { contextFiles, copies, DOCKERFILE, imageFiles, instructions, lastStage, ROOT } from './image-files.ts'

const Manifest = z.object({
  name: z.string(),
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
})
const manifestOf = (folder: string) => Manifest.parse(JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')))
const one = (word: string) => lastStage().findLast((instruction) => instruction.word === word)?.rest
const folder = mkdtempSync(join(tmpdir(), 'ephor-image-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Folders of the workspaces that the command line stands on. */
function needed(): string[] {
  const folders = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(ROOT, parent))
      .map((name) => `${parent}/${name}`)
      .filter((path) => existsSync(join(ROOT, path, 'package.json'))),
  )
  const byName = new Map(folders.map((path) => [manifestOf(path).name, path]))
  const found = new Set<string>()
  const visit = (name: string) => {
    const path = byName.get(name)
    if (path === undefined || found.has(path)) return
    found.add(path)
    for (const next of Object.keys(manifestOf(path).dependencies)) visit(next)
  }
  visit('@ephor/cli')
  return [...found].toSorted()
}

test('the Dockerfile has no error and no warning', () => {
  expect(validate(DOCKERFILE)).toEqual([])
})

test('what it is built on is pinned: the Node that the repository is tested with, and nothing is the latest', () => {
  const version = instructions().find(({ word }) => word === 'ARG')?.rest
  expect(version).toBe(`NODE_VERSION=${manifestOf('').devDependencies['node']}`)
  const bases = instructions().filter(({ word }) => word === 'FROM')
  expect(bases).toHaveLength(2)
  for (const { rest } of bases) expect(rest).toMatch(/^node:\$\{NODE_VERSION\}-bookworm-slim( AS files)?$/)
})

test('it runs as a number that is not root, stops by SIGTERM, says whether it is well, and holds no secret', () => {
  expect(one('USER')).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/)
  expect(one('STOPSIGNAL')).toBe('SIGTERM')
  expect(one('HEALTHCHECK')).toContain('/v1/health')
  expect(one('VOLUME')).toBe('/data')
  expect(one('ENV')).toContain('EPHOR_HOME=/data')
  for (const { rest } of instructions().filter(({ word }) => word === 'ENV' || word === 'ARG'))
    expect(rest).not.toMatch(/password|secret|token|credential/i)
  expect(lastStage().filter(({ word }) => word === 'RUN' || word === 'ADD')).toEqual([])
})

test('packages come from the lockfile, without those of development, without scripts, from no registry that is named', () => {
  const run = instructions().filter(({ word, rest }) => word === 'RUN' && rest.includes('npm'))
  expect(run).toHaveLength(1)
  expect(run[0]?.rest).toContain('npm ci --omit=dev --ignore-scripts')
  expect(DOCKERFILE).not.toMatch(/--registry|https?:\/\/(?!127\.0\.0\.1)/)
  const lock = z
    .object({ packages: z.record(z.string(), z.object({ dev: z.boolean().optional(), hasInstallScript: z.boolean().optional() })) })
    .parse(JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')))
  // protobufjs prints a notice. Anything else would be a program that the image lacks.
  const scripted = Object.entries(lock.packages).filter(([, { dev, hasInstallScript }]) => hasInstallScript && !dev)
  expect(scripted.map(([path]) => path)).toEqual(['node_modules/protobufjs'])
})

test('the manifest of each package that the command line stands on is there before the installation', () => {
  const manifests = copies().filter(({ sources: [source = ''] }) => source.endsWith('/package.json'))
  expect(manifests.map(({ sources: [source = ''] }) => dirname(source)).toSorted()).toEqual(needed())
  for (const { sources, to } of manifests) expect(to).toBe(`${dirname(sources[0] ?? '')}/`)
})

test('everything that is copied exists, and nothing else reaches the builder', () => {
  const context = contextFiles()
  for (const { sources } of copies())
    for (const source of sources)
      expect(
        context.some((path) => path === source || path.startsWith(`${source}/`)),
        source,
      ).toBe(true)
  expect(context.filter((path) => /\.test\.ts$|\.fixture\.ts$|\.key$|\.pem$|\.db$|\.credential$|testkit/.test(path))).toEqual([])
  expect(new Set(context.map((path) => path.split('/')[0]))).toEqual(
    new Set(['.npmrc', 'LICENSE', 'apps', 'package-lock.json', 'package.json', 'packages', 'policies']),
  )
  expect([...imageFiles().keys()].toSorted()).toEqual(context.toSorted())
})

test('each file finds what it imports: a file of the image, or a package that is not for development', () => {
  const files = new Set(imageFiles().values())
  const declared = new Set(needed().flatMap((path) => [manifestOf(path).name, ...Object.keys(manifestOf(path).dependencies)]))
  const missing = [...files]
    .filter((path) => /\.(ts|mjs|js)$/.test(path) && /^(apps|packages)\//.test(path))
    .flatMap((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8')
      const imports = text.matchAll(/^(?:import|export) (?!type )[^'\n]*?from '([^']+)'|import\('([^']+)'\)|new URL\('(\.[^']+\.ts)'/gm)
      return [...imports].flatMap(([, fixed, dynamic, thread]) => {
        const to = fixed ?? dynamic ?? thread ?? ''
        if (to.startsWith('node:')) return []
        if (to.startsWith('.')) return files.has(posix.join(posix.dirname(path), to)) ? [] : [`${path} -> ${to}`]
        const name = to.split('/', to.startsWith('@') ? 2 : 1).join('/')
        return declared.has(name) ? [] : [`${path} -> ${to}`]
      })
    })
  expect(missing).toEqual([])
})

/** The image's /app, with the repository's own installation in place of `npm ci`: each package of it, but no workspace. */
function layOut(): string {
  const app = join(folder, 'app')
  for (const [from, to] of imageFiles()) {
    mkdirSync(dirname(join(app, to)), { recursive: true })
    cpSync(join(ROOT, from), join(app, to))
  }
  for (const at of ['.', ...needed()]) {
    const installed = join(ROOT, at, 'node_modules')
    if (!existsSync(installed)) continue
    for (const name of readdirSync(installed)) {
      if (name === '@ephor' || name.startsWith('.')) continue
      mkdirSync(join(app, at, 'node_modules'), { recursive: true })
      symlinkSync(join(installed, name), join(app, at, 'node_modules', name))
    }
  }
  mkdirSync(join(app, 'node_modules/@ephor'))
  for (const path of needed()) symlinkSync(join(app, path), join(app, 'node_modules', manifestOf(path).name))
  return app
}

test(
  'what is in it runs as a stranger to its files, is well by its own health check, and stops at the signal',
  { timeout: 90_000 },
  async ({ skip }) => {
    if (process.getuid?.() !== 0) skip('to become another user takes root')
    const [uid = 0, gid = 0] = (one('USER') ?? '').split(':').map(Number)
    const home = join(folder, 'data')
    mkdirSync(home, { mode: 0o700 })
    chownSync(home, uid, gid)
    chownSync(folder, uid, gid)
    const program = join(layOut(), 'apps/cli/bin/ephor.mjs')
    const port = String(await freePort())
    const env = { PATH: process.env['PATH'] ?? '', EPHOR_HOME: home, EPHOR_HOST: '0.0.0.0', EPHOR_DEMO: 'false', EPHOR_PORT: port }
    const child = spawn(process.execPath, [program, 'up'], { uid, gid, env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const exited = once(child, 'exit')
    const [, check = ''] = /CMD (\[.*\])$/.exec(one('HEALTHCHECK') ?? '') ?? []
    const [, ...words] = z.array(z.string()).parse(JSON.parse(check))
    const isWell = () =>
      promisify(execFile)(process.execPath, words, { env, uid, gid }).then(
        () => true,
        () => false,
      )
    expect(await isWell()).toBe(false)
    await expect.poll(() => (child.exitCode === null ? isWell() : output), { timeout: 60_000, interval: 500 }).toBe(true)
    expect(readdirSync(home)).toEqual(expect.arrayContaining(['checkpoint', 'keys', 'policies', 'store.db']))
    child.kill('SIGTERM')
    expect(await exited, output).toEqual([0, null])
  },
)
