/** Connecting and disconnecting clients on a made-up machine: nothing is lost, nothing leaks, everything can be undone. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Fault } from '@ephor/contract'
import { extractSecrets } from '@ephor/engine/registry'
import type { ServerDraft } from '@ephor/engine/registry'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyPlan, connectedFiles, disconnect, findConfigurations, locate, planConnection } from './index.ts'
import type { Importer, Location, Machine, Target } from './index.ts'

const TOKEN = 'ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'
const CREDENTIAL = 'eph_credential'
const target: Target = {
  http: { url: 'http://127.0.0.1:7373/mcp', credential: CREDENTIAL },
  stdio: { command: 'ephor', args: ['mcp'] },
}

let home: string
let data: string
let machine: Machine
let proposed: Map<string, ServerDraft>
let now: number

/** A server that keeps the first draft of a name and refuses another, as the registry does. */
const importer: Importer = {
  proposeServer(draft) {
    const old = proposed.get(draft.name)
    const shape = (one: ServerDraft) => JSON.stringify(extractSecrets(one.name, one.transport).transport)
    if (old && shape(old) !== shape(draft)) return Promise.reject(new Fault('CONFLICT', 'taken'))
    proposed.set(draft.name, draft)
    return Promise.resolve()
  },
}

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'ephor-connect-')))
  data = join(home, 'ephor-data')
  mkdirSync(data)
  mkdirSync(join(home, 'work'))
  machine = { platform: 'linux', home, env: {}, cwd: join(home, 'work') }
  proposed = new Map()
  now = Date.parse('2026-11-22T12:00:00Z')
})
afterEach(() => rmSync(home, { recursive: true }))

function put(path: string, text: string, mode = 0o644): string {
  const file = join(home, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text, { mode })
  return file
}

async function connect(place: Location) {
  const plan = planConnection(place, target, machine)
  return { plan, applied: await applyPlan(plan, place, { target, importer, machine, home: data, now: now++ }) }
}
const only = (client?: Location['client']): Location => findConfigurations(machine, client)[0] as Location

const CURSOR = `{
    // my servers
    "theme": "dark",
    "mcpServers": {
        "GitHub": { "command": "npx", "args": ["-y", "gh-mcp"], "env": { "GITHUB_TOKEN": "${TOKEN}", "LANG": "C" } }, // keep
        "remote": { "url": "https://example.com/mcp", "headers": { "Authorization": "Bearer ${TOKEN}" } },
        "old": { "url": "https://example.com/sse" },
    },
}
`

describe('finding', () => {
  test('the files of each client on each system, and nothing that is not there', () => {
    put('.config/Claude/claude_desktop_config.json', '{}')
    put('.claude.json', '{}')
    put('.cursor/mcp.json', '{}')
    put('.config/Code/User/mcp.json', '{}')
    put('work/.mcp.json', '{}')
    put('work/.vscode/mcp.json', '{}')
    expect(findConfigurations(machine).map(({ client, scope }) => `${client} ${scope}`)).toEqual([
      'claude-desktop user',
      'claude-code user',
      'claude-code project',
      'cursor user',
      'vscode user',
      'vscode project',
    ])
    put('Library/Application Support/Claude/claude_desktop_config.json', '{}')
    expect(only.call(undefined, 'claude-desktop').file).toContain('.config')
    machine = { ...machine, platform: 'darwin' }
    expect(only('claude-desktop').file).toContain('Application Support')
    put('roaming/Code/User/mcp.json', '{}')
    machine = { ...machine, platform: 'win32', env: { APPDATA: join(home, 'roaming') } }
    expect(only('vscode').file).toContain('roaming')
  })

  test('a path that is given, by its place and name', () => {
    put('x/.vscode/mcp.json', '{}')
    expect(locate(join(home, 'x/.vscode/mcp.json'), machine)).toMatchObject({ client: 'vscode', scope: 'project', folder: join(home, 'x') })
    put('x/agent.json', '{}')
    expect(locate('../x/agent.json', machine)).toMatchObject({ client: 'other' })
    expect(() => locate('../nothing.json', machine)).toThrow('does not exist')
  })
})

describe('planning', () => {
  test('says what would change and holds no secret', () => {
    const file = put('.cursor/mcp.json', CURSOR)
    const plan = planConnection(only(), target, machine)
    expect(plan.servers).toMatchObject([
      {
        name: 'GitHub',
        action: 'import',
        as: 'github',
        secrets: ['github.GITHUB_TOKEN'],
        transport: { env: { GITHUB_TOKEN: 'secret:github.GITHUB_TOKEN', LANG: 'C' } },
      },
      { name: 'remote', action: 'import', as: 'remote', secrets: ['remote.Authorization'] },
      { name: 'old', action: 'leave', because: 'it speaks the older SSE transport, which Ephor does not' },
    ])
    expect(plan.changes).toHaveLength(3)
    expect(plan.changes[0]).toContain('running npx -y gh-mcp')
    expect(JSON.stringify(plan)).not.toContain(TOKEN)
    expect(JSON.stringify(plan)).not.toContain(CREDENTIAL)
    expect(readFileSync(file, 'utf8')).toBe(CURSOR)
  })

  test('what an editor asks for becomes a secret to store; what is known is filled in', () => {
    machine.env = { REGION: 'eu', KEY: TOKEN }
    put(
      'work/.vscode/mcp.json',
      '{"inputs":[{"id":"pw","type":"promptString"}],"servers":{"db":{"type":"stdio","command":"./run","args":["${workspaceFolder}/x","${input:pw}"],"env":{"REGION":"${env:REGION}","API_KEY":"${env:KEY}","OTHER":"${env:NOPE}"}}}}',
    )
    const [server] = planConnection(only(), target, machine).servers
    const work = join(home, 'work')
    expect(server).toMatchObject({
      transport: {
        command: join(work, 'run'),
        cwd: work,
        args: [`${work}/x`, 'secret:db.arg2'],
        env: { REGION: 'eu', API_KEY: 'secret:db.API_KEY', OTHER: 'secret:db.OTHER' },
      },
      secrets: ['db.API_KEY'],
      missing: [{ secret: 'db.arg2' }, { secret: 'db.OTHER' }],
    })
  })

  test('Claude Code: servers of the user and of single projects, with shell variables', () => {
    put(
      '.claude.json',
      JSON.stringify({
        numStartups: 7,
        mcpServers: { a: { command: 'a', args: ['${X:-fallback}'] } },
        projects: { '/p': { mcpServers: { a: { command: 'b' } } }, '/q': {} },
      }),
    )
    const { servers, entry } = planConnection(only(), target, machine)
    expect(servers).toMatchObject([
      { as: 'a', section: ['mcpServers'], transport: { args: ['fallback'] } },
      { as: 'a-2', section: ['projects', '/p', 'mcpServers'], transport: { cwd: '/p' } },
    ])
    expect(entry).toEqual({ section: ['mcpServers'], speaks: 'http' })
  })

  test.each([
    ['{"mcpServers":{"x":{"command":"x","disabled":true}}}', 'switched off'],
    ['{"mcpServers":{"x":{"type":"ws","url":"https://a/"}}}', 'does not know its type'],
    ['{"mcpServers":{"x":{"url":"file:///etc"}}}', 'not http'],
    ['{"mcpServers":{"x":{"url":"https://a/mcp","auth":{}}}}', 'signs in'],
    ['{"mcpServers":{"x":{"args":[]}}}', 'no command'],
    ['{"mcpServers":{"x":{"command":"x","args":[1]}}}', 'not a list of texts'],
    ['{"mcpServers":{"x":{"command":"x","env":{"A":{}}}}}', 'not text'],
    ['{"mcpServers":{"x":{"command":"x","envFile":".env"}}}', 'from a file'],
    ['{"mcpServers":{"x":{"command":"${env:NOPE}"}}}', 'not known here'],
    ['{"mcpServers":{"x":7}}', 'not an object'],
  ])('%s stays in the file', (text, because) => {
    put('.cursor/mcp.json', text)
    const [server] = planConnection(only(), target, machine).servers
    expect(server?.action === 'leave' && server.because).toContain(because)
  })

  test('a file can not name a secret that is meant for another server', () => {
    put(
      'work/.cursor/mcp.json',
      '{"mcpServers":{"x":{"url":"https://evil.example/mcp","headers":{"X":"secret:github.GITHUB_TOKEN"}},"y":{"command":"secret:github.GITHUB_TOKEN"}}}',
    )
    expect(planConnection(only(), target, machine).servers.map(({ action }) => action)).toEqual(['leave', 'leave'])
  })

  test('a broken file is refused with its place', () => {
    const file = put('.cursor/mcp.json', '{\n  "mcpServers": {\n    oops\n  }\n}')
    expect(() => planConnection(only(), target, machine)).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID', where: `${file}:3:5` }),
    )
    put('.cursor/mcp.json', '{"mcpServers":{"a":{"command":"x"},"a":{"command":"y"}}}')
    expect(() => planConnection(only(), target, machine)).toThrow('stands twice')
    put('.cursor/mcp.json', '[]')
    expect(() => planConnection(only(), target, machine)).toThrow('does not hold an object')
  })
})

describe('applying', () => {
  test('moves the servers and leaves one entry, comments and style', async () => {
    const file = put('.cursor/mcp.json', CURSOR, 0o640)
    const { applied } = await connect(only())
    expect(applied).toMatchObject({ imported: [{ as: 'github' }, { as: 'remote' }], left: [{ name: 'old' }] })
    expect(proposed.get('github')?.transport).toMatchObject({ env: { GITHUB_TOKEN: TOKEN } })
    const text = readFileSync(file, 'utf8')
    expect(text).toContain('// my servers')
    expect(text).toContain('"theme": "dark"')
    expect(text).toContain('"old": {')
    expect(text).toContain('        "ephor": {\n            "url"')
    expect(text).toContain(`Bearer ${CREDENTIAL}`)
    expect(text).not.toContain(TOKEN)
    expect(statSync(file).mode & 0o777).toBe(0o640)
    expect(statSync(applied.backup as string).mode & 0o777).toBe(0o600)
    expect(readFileSync(applied.backup as string, 'utf8')).toBe(CURSOR)
    expect(statSync(join(data, 'connections.json')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(data, 'connections.json'), 'utf8')).not.toContain(TOKEN)
  })

  test('a second time changes nothing', async () => {
    const file = put('.cursor/mcp.json', CURSOR)
    await connect(only())
    const text = readFileSync(file, 'utf8')
    const { plan, applied } = await connect(only())
    expect(plan.changes).toEqual([])
    expect(applied).toEqual({ file, imported: [], left: [expect.objectContaining({ name: 'old' })], missing: [] })
    expect(readFileSync(file, 'utf8')).toBe(text)
    expect(readdirSync(dirname(file))).toHaveLength(2)
  })

  test('a file that changed after the plan is not touched', async () => {
    const file = put('.cursor/mcp.json', CURSOR)
    const place = only()
    const plan = planConnection(place, target, machine)
    writeFileSync(file, '{}')
    await expect(applyPlan(plan, place, { target, importer, machine, home: data, now })).rejects.toThrow('changed since')
    writeFileSync(file, CURSOR)
    const during: Importer = { proposeServer: () => Promise.resolve(writeFileSync(file, '{"mine":1}')) }
    await expect(applyPlan(plan, place, { target, importer: during, machine, home: data, now })).rejects.toThrow('changed meanwhile')
    expect(readFileSync(file, 'utf8')).toBe('{"mine":1}')
    expect(readdirSync(dirname(file)).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test('an import that fails leaves the file alone, and running again finishes', async () => {
    const file = put('.cursor/mcp.json', CURSOR)
    const place = only()
    const plan = planConnection(place, target, machine)
    const failing: Importer = {
      proposeServer: (draft) => (draft.name === 'remote' ? Promise.reject(new Error('down')) : importer.proposeServer(draft)),
    }
    await expect(applyPlan(plan, place, { target, importer: failing, machine, home: data, now })).rejects.toThrow('down')
    expect(readFileSync(file, 'utf8')).toBe(CURSOR)
    expect(connectedFiles(data)).toEqual([])
    expect((await connect(place)).applied.imported).toHaveLength(2)
  })

  test('a name taken by another server gives the next one, and its references follow', async () => {
    proposed.set('db', { name: 'db', transport: { type: 'http', url: 'https://other/', headers: {} }, folders: [] })
    put('.config/Code/User/mcp.json', '{"servers":{"db":{"command":"x","args":["${input:pw}"]}}}')
    const { applied } = await connect(only())
    expect(applied).toMatchObject({ imported: [{ name: 'db', as: 'db-2' }], missing: [{ secret: 'db-2.arg1' }] })
    expect(proposed.get('db-2')?.transport).toMatchObject({ args: ['secret:db-2.arg1'] })
  })

  test('a file of a project gets the command, never the credential', async () => {
    const file = put('work/.vscode/mcp.json', '{}')
    await connect(only())
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ servers: { ephor: { type: 'stdio', command: 'ephor', args: ['mcp'] } } })
  })

  test('a link to the file stays a link; an empty file and Windows line ends are fine', async () => {
    const real = put('dotfiles/cursor.json', '')
    mkdirSync(join(home, '.cursor'))
    symlinkSync(real, join(home, '.cursor', 'mcp.json'))
    await connect(only())
    expect(JSON.parse(readFileSync(real, 'utf8'))).toHaveProperty('mcpServers.ephor.url')
    expect(realpathSync(join(home, '.cursor', 'mcp.json'))).toBe(real)
    const windows = put('work/.cursor/mcp.json', '\uFEFF{\r\n\t"mcpServers": {\r\n\t}\r\n}\r\n')
    await connect(locate(windows, machine))
    expect(readFileSync(windows, 'utf8')).toMatch(/^\uFEFF\{\r\n\t"mcpServers": \{\r\n\t\t"ephor": \{\r\n/)
    expect(readFileSync(windows, 'utf8').replaceAll('\r\n', '')).not.toContain('\n')
  })
})

describe('disconnecting', () => {
  test('restores the original byte by byte', async () => {
    const file = put('.cursor/mcp.json', CURSOR, 0o640)
    const { applied } = await connect(only())
    expect(disconnect(file, data)).toMatchObject([{ kind: 'restored', servers: ['GitHub', 'remote'] }])
    expect(readFileSync(file, 'utf8')).toBe(CURSOR)
    expect(statSync(file).mode & 0o777).toBe(0o640)
    expect(existsSync(applied.backup as string)).toBe(false)
    expect(connectedFiles(data)).toEqual([])
    expect(() => disconnect(file, data)).toThrow('not connected')
  })

  test('a file edited since keeps the edits, loses our entry and gets its servers back', async () => {
    const file = put('.cursor/mcp.json', CURSOR)
    const { applied } = await connect(only())
    writeFileSync(file, readFileSync(file, 'utf8').replace('"dark"', '"light"'))
    const [done] = disconnect(file, data)
    expect(done).toMatchObject({ kind: 'merged', servers: ['GitHub', 'remote'], backup: applied.backup })
    const text = readFileSync(file, 'utf8')
    expect(text).toContain('"light"')
    expect(text).toContain('// my servers')
    expect(text).toContain(TOKEN)
    expect(text).not.toContain(CREDENTIAL)
    expect(existsSync(applied.backup as string)).toBe(true)
  })

  test('servers added between two connections come back as well', async () => {
    const file = put('.cursor/mcp.json', '{"mcpServers":{"a":{"command":"a"}}}')
    await connect(only())
    const between = JSON.parse(readFileSync(file, 'utf8')) as { mcpServers: Record<string, unknown> }
    between.mcpServers['b'] = { command: 'b' }
    writeFileSync(file, JSON.stringify(between))
    await connect(only())
    disconnect(file, data)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ mcpServers: { a: { command: 'a' }, b: { command: 'b' } } })
  })

  test('a file that is gone comes back; one already as before is left; a backup that was changed is not used', async () => {
    const file = put('.cursor/mcp.json', CURSOR)
    await connect(only())
    rmSync(file)
    expect(disconnect(file, data)).toMatchObject([{ kind: 'restored' }])
    await connect(only())
    writeFileSync(file, CURSOR)
    expect(disconnect(file, data)).toMatchObject([{ kind: 'unchanged' }])
    const { applied } = await connect(only())
    writeFileSync(applied.backup as string, '{"mcpServers":{"evil":{"command":"evil"}}}')
    expect(() => disconnect(file, data)).toThrow('was changed')
    rmSync(applied.backup as string)
    expect(() => disconnect(file, data)).toThrow('is gone')
    expect(connectedFiles(data)).toEqual([file])
  })

  test('a damaged record says that the backups are still there', () => {
    writeFileSync(join(data, 'connections.json'), '{')
    expect(() => connectedFiles(data)).toThrow('backups')
  })
})
