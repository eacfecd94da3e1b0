/** One place written in many ways is one text to a policy; what is no place is refused. */
import { expect, test } from 'vitest'
import { canonicalText } from './canonical-text.ts'
import { openGood } from './open-bundle.fixture.ts'
import { requestOf, toolOf, world } from './policy.fixture.ts'

test.each([
  ['https://Good.example/a/../b', 'https://good.example/b'],
  ['https://good.example\\@evil.example/', 'https://good.example/@evil.example/'],
  ['https://good.example@evil.example', 'https://good.example@evil.example/'],
  ['https://ev\til.example', 'https://evil.example/'],
  ['HTTP://0x7f.1:80/', 'http://127.0.0.1/'],
  ['https://bücher.example', 'https://xn--bcher-kva.example/'],
  ['https://good.example/%2e%2e/etc', 'https://good.example/etc'],
  ['file:///srv/../etc/passwd', 'file:///etc/passwd'],
  ['not a uri', undefined],
  ['//good.example', undefined],
  ['', undefined],
])('the address %s is %s', (text, expected) => {
  expect(canonicalText('uri', text)).toBe(expected)
})

test.each([
  ['Good.Example', 'good.example'],
  ['good.example.', 'good.example'],
  ['ｇｏｏｄ.example', 'good.example'],
  ['0x7f.1', '127.0.0.1'],
  ['2130706433', '127.0.0.1'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['good.example:80', undefined],
  ['good.example/evil', undefined],
  ['user@good.example', undefined],
  ['good.example#', undefined],
  ['good example', undefined],
  ['', undefined],
  ['.', undefined],
])('the host %s is %s', (text, expected) => {
  expect(canonicalText('hostname', text)).toBe(expected)
})

const fetchTool = toolOf('fetch', 'read', {
  url: { type: 'string', format: 'uri' },
  hosts: { type: 'array', items: { type: 'string', format: 'hostname' } },
  deep: { type: 'object', properties: { url: { anyOf: [{ type: 'string', format: 'uri' }, { type: 'null' }] } } },
})

test('a rule on an address holds however the agent writes it', async () => {
  const text = `@reason("r") permit (principal is Agent, action == Action::"fs/fetch", resource);
    @reason("metadata") forbid (principal, action == Action::"fs/fetch", resource)
    when { context.input has url && context.input.url like "http://169.254.169.254/*" };
    @reason("deep") forbid (principal, action == Action::"fs/fetch", resource)
    when { context.input has deep && context.input.deep has url && context.input.deep.url like "http://169.254.169.254/*" };
    @reason("hosts") forbid (principal, action == Action::"fs/fetch", resource)
    when { context.input has hosts && context.input.hosts.contains("evil.example") };`
  const bundle = await openGood(text, { ...world, tools: [...world.tools, fetchTool] })
  const decide = (input: Parameters<typeof requestOf>[1]) => {
    const decision = bundle.decide(requestOf('fs/fetch', input))
    return decision.effect === 'deny' ? decision.fault : decision.effect
  }
  expect(decide({ url: 'https://good.example/' })).toBe('permit')
  for (const host of ['169.254.169.254', '0xa9fea9fe', '2852039166', '169.254.43518', '１６９.254.169.254', 'x@169.254.169.254'])
    expect([host, decide({ url: `http://${host}/latest` })]).toEqual([host, host.startsWith('x@') ? 'permit' : 'POLICY_DENIED'])
  expect(decide({ deep: { url: 'HTTP:\\\\0xa9fea9fe\\latest' } })).toBe('POLICY_DENIED')
  expect(decide({ deep: { url: null } })).toBe('permit')
  expect(decide({ hosts: ['good.example', 'EVIL.example.'] })).toBe('POLICY_DENIED')
  expect(decide({ url: 'evil' })).toBe('INPUT_INVALID')
  expect(decide({ hosts: ['evil.example/'] })).toBe('INPUT_INVALID')
})

test('the address of a resource is canonical too', async () => {
  const text = `@reason("r") permit (principal is Agent, action == Action::"resources/read", resource);
    @reason("no") forbid (principal, action, resource) when { context has uri && context.uri like "file:///etc/*" };`
  const bundle = await openGood(text)
  const effectOf = (uri: string) => bundle.decide(requestOf('resources/read', {}, { uri })).effect
  expect(effectOf('file:///srv/a')).toBe('permit')
  expect(effectOf('FILE:///srv/../etc/passwd')).toBe('deny')
})
