/** Tool servers as child processes: what passes through, what dies, what is left behind, what leaks. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { stdioServer } from '@ephor/testkit'
import { alive, calling, stdio, textOf, until, world } from './fixtures/world.ts'
import { UpstreamError } from './upstream-error.ts'

const hostile = (...args: string[]) => stdio(stdioServer('hostile', ...args))
const call = (name: string, args = {}) => ({ name, arguments: args })

test('a result comes through as the server gave it, unknown fields and all', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  expect(upstream.protocolVersion).toBe('2025-11-25')
  expect(upstream.capabilities).toMatchObject({ tools: { listChanged: true } })
  expect(await upstream.request('tools/call', call('echo', { text: 'hello' }), calling())).toEqual({
    content: [{ type: 'text', text: 'hello' }],
    structuredContent: { text: 'hello' },
    _meta: { 'a/b': 'kept' },
    unheardOf: { also: 'kept' },
  })
  const { tools } = await upstream.request('tools/list', {}, calling())
  expect(tools).toContainEqual({
    name: 'echo',
    description: 'Says what it is given',
    inputSchema: { type: 'object' },
    icons: [{ src: 'data:,' }],
    _meta: { 'x/y': 1 },
    unheardOf: [true],
  })
})

test('an error keeps its code, message and data', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  const error = await upstream.request('tools/call', call('error'), calling()).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(UpstreamError)
  expect(error).toMatchObject({ code: -32099, message: 'No, thank you', data: { why: 'because' } })
})

test('progress of a call reaches its caller alone, under a token of ours', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  const seen: unknown[] = []
  const params = { ...call('progress'), _meta: { progressToken: 'mine' } }
  await upstream.request('tools/call', params, calling({ onProgress: (progress) => seen.push(progress) }))
  expect(seen).toMatchObject([
    { progress: 1, extra: 'kept' },
    { progress: 2, extra: 'kept' },
  ])
})

test('two agents never share a process, one agent does', async () => {
  const { upstreams } = world({ a: hostile() })
  const pid = async (owner: string) => textOf(await (await upstreams.connect('a', owner)).request('tools/call', call('pid'), calling()))
  const [first, again, other] = await Promise.all([pid('agt_1'), pid('agt_1'), pid('agt_2')])
  expect(again).toBe(first)
  expect(other).not.toBe(first)
})

test('a server that dies in a call fails that call at once and is started again after a pause', async () => {
  const { upstreams } = world({ a: hostile() }, { random: () => 1 })
  const upstream = await upstreams.connect('a', 'agt_1')
  const other = upstream.request('tools/call', call('slow'), calling())
  const dying = upstream.request('tools/call', call('die'), calling())
  await expect(dying).rejects.toMatchObject({ code: 'UPSTREAM_DIED', message: expect.stringContaining('code 3') as string })
  await expect(other).rejects.toMatchObject({ code: 'UPSTREAM_DIED' })
  await expect(upstreams.connect('a', 'agt_1')).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    message: expect.stringMatching(/tried again at \d{4}-/) as string,
  })
  await expect(upstream.request('ping', {}, calling())).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
  await new Promise((resolve) => setTimeout(resolve, 250))
  const restarted = await upstreams.connect('a', 'agt_1')
  expect(textOf(await restarted.request('tools/call', call('echo', { text: 'back' }), calling()))).toBe('back')
})

test('a server that closes its output is as good as dead', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  await expect(upstream.request('tools/call', call('cut'), calling())).rejects.toMatchObject({ code: 'UPSTREAM_DIED' })
})

test('a slow call is given up on time and the server is told', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  await expect(upstream.request('tools/call', call('slow'), calling({ timeoutMs: 150 }))).rejects.toMatchObject({
    code: 'UPSTREAM_TIMEOUT',
  })
  expect(textOf(await upstream.request('tools/call', call('cancelled'), calling()))).toContain('timed out')
})

test('a cancelled call is given up at once, even by a server that goes on with it', async () => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  const abort = new AbortController()
  const cancelled = upstream.request('tools/call', call('ignore_cancel', { ms: 200 }), calling({ signal: abort.signal }))
  abort.abort()
  await expect(cancelled).rejects.toMatchObject({ code: 'CALL_CANCELLED' })
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(textOf(await upstream.request('tools/call', call('cancelled'), calling()))).toContain('cancelled by the caller')
  expect(textOf(await upstream.request('tools/call', call('echo', { text: 'fine' }), calling()))).toBe('fine')
})

test('garbage, batches, answers to nobody and second answers change nothing', async () => {
  const { upstreams, logged } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  expect(textOf(await upstream.request('tools/call', call('garbage'), calling()))).toBe('the first answer')
  expect(textOf(await upstream.request('tools/call', call('echo', { text: 'alive' }), calling()))).toBe('alive')
  expect(logged()).toContain('could not be used')
})

test('a giant answer is withheld whole and only its own call fails', async () => {
  const { upstreams } = world({ a: hostile('--size', String(3_000_000)) }, { limits: { maxMessageBytes: 1_000_000 } })
  const upstream = await upstreams.connect('a', 'agt_1')
  const other = upstream.request('tools/call', call('ignore_cancel'), calling())
  await expect(upstream.request('tools/call', call('giant'), calling())).rejects.toMatchObject({ code: 'UPSTREAM_RESULT_TOO_LARGE' })
  expect(textOf(await other)).toBe('did it anyway')
})

test.each(['deep', 'surrogate'])('an answer that cannot be recorded (%s) fails its call and nothing else', async (name) => {
  const { upstreams } = world({ a: hostile() })
  const upstream = await upstreams.connect('a', 'agt_1')
  await expect(upstream.request('tools/call', call(name), calling())).rejects.toMatchObject({ code: 'UPSTREAM_ERROR' })
  expect(textOf(await upstream.request('tools/call', call('echo', { text: 'alive' }), calling()))).toBe('alive')
})

test('a flood of notifications is thinned, and the call in it still answered', async () => {
  const { upstreams, logged } = world({ a: hostile() }, { limits: { notificationsPerSecond: 100 } })
  const upstream = await upstreams.connect('a', 'agt_1')
  let heard = 0
  upstream.onNotification(() => heard++)
  expect(textOf(await upstream.request('tools/call', call('flood', { count: 20_000 }), calling()))).toBe('flooded')
  expect(heard).toBeGreaterThanOrEqual(100)
  expect(heard).toBeLessThan(2_000)
  expect(logged()).toContain('more notifications than are passed on')
})

test('a child sees a few plain variables and its own, never those of Ephor', async () => {
  process.env['EPHOR_TEST_KEY'] = 'the master key'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'the cloud'
  const { upstreams } = world(
    { a: stdio(stdioServer('hostile'), { API_KEY: 'secret:api', PLAIN: 'as it is' }) },
    {},
    { api: 'sk-resolved' },
  )
  const upstream = await upstreams.connect('a', 'agt_1')
  const env = JSON.parse(textOf(await upstream.request('tools/call', call('env'), calling()))) as Record<string, string>
  expect(env).toMatchObject({ API_KEY: 'sk-resolved', PLAIN: 'as it is', PATH: process.env['PATH'] })
  const allowed = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR', 'API_KEY', 'PLAIN']
  expect(Object.keys(env).filter((name) => !allowed.includes(name))).toEqual([])
  const { upstreams: refusing } = world({ b: stdio(stdioServer('hostile'), { EPHOR_HOME: '/' }) })
  await expect(refusing.connect('b', 'agt_1')).rejects.toMatchObject({ code: 'SETTINGS_INVALID' })
})

test('standard error goes to the log in bounded lines, without secrets', async () => {
  const { upstreams, logged } = world({ a: stdio(stdioServer('hostile'), { API_KEY: 'secret:api' }) }, {}, { api: 'sk-very-secret' })
  const upstream = await upstreams.connect('a', 'agt_1')
  await upstream.request('tools/call', call('stderr', { text: 'my key is sk-very-secret!' }), calling())
  await until(() => logged().includes('100000 bytes'))
  expect(logged()).toContain('my key is [redacted]!')
  expect(logged()).not.toContain('sk-very-secret')
  expect(logged().length).toBeLessThan(10_000)
})

test('closing ends a server that ignores SIGTERM, and what it started', async () => {
  const { upstreams, logged } = world({ a: hostile('--mode', 'stubborn') })
  const upstream = await upstreams.connect('a', 'agt_1')
  const pid = Number(textOf(await upstream.request('tools/call', call('pid'), calling())))
  await until(() => /child \d+/.test(logged()))
  const grandchild = Number(/child (\d+)/.exec(logged())?.[1])
  expect([alive(pid), alive(grandchild)]).toEqual([true, true])
  await upstreams.close()
  await until(() => !alive(pid) && !alive(grandchild))
})

test.runIf(process.platform === 'linux')('a server does not outlive an Ephor that is killed', async () => {
  const script = fileURLToPath(new URL('./fixtures/hold-open.ts', import.meta.url))
  const { command, args } = stdioServer('hostile', '--mode', 'lingers')
  const ephor = spawn(process.execPath, [script, command, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const printed = await new Promise<string>((resolve) => ephor.stdout.once('data', (data: Buffer) => resolve(data.toString())))
  const pid = Number(/"text":"(\d+)"/.exec(printed)?.[1])
  expect(alive(pid)).toBe(true)
  ephor.kill('SIGKILL')
  await until(() => !alive(pid))
})

test('a server that exits on the probe for the newer revision is started again without it', async () => {
  const { upstreams } = world({ a: hostile('--mode', 'exits-on-probe') })
  const upstream = await upstreams.connect('a', 'agt_1')
  expect(upstream.protocolVersion).toBe('2025-11-25')
})

test.each([
  ['crash', 'ended with code 1'],
  ['silent', 'did not start within'],
  ['deaf', 'did not start within'],
])('a server that does not start (%s) is unavailable, with the reason', async (mode, reason) => {
  const { upstreams } = world(
    { a: hostile('--mode', mode) },
    { limits: { startTimeoutMs: mode === 'crash' ? 8_000 : 1_000, probeTimeoutMs: 200 } },
  )
  await expect(upstreams.connect('a', 'agt_1')).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    message: expect.stringContaining(reason) as string,
  })
})

test('a program that is not there is unavailable', async () => {
  const { upstreams } = world({ a: stdio({ command: 'no-such-program-here', args: [] }) })
  await expect(upstreams.connect('a', 'agt_1')).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
})

test('an idle connection is closed, one with a call in flight is not', async () => {
  const { upstreams } = world({ a: hostile() }, { limits: { idleMs: 300 } })
  const upstream = await upstreams.connect('a', 'agt_1')
  const pid = Number(textOf(await upstream.request('tools/call', call('pid'), calling())))
  expect(textOf(await upstream.request('tools/call', call('ignore_cancel', { ms: 900 }), calling()))).toBe('did it anyway')
  expect(alive(pid)).toBe(true)
  await until(() => !alive(pid))
})
