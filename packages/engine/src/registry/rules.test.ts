/** The registry's pure rules: first guesses, look-alikes, differences, and what counts as a secret. */
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '@ephor/engine/kernel'
import { findingsOf } from './check-definitions.ts'
import { diffDefinitions } from './diff-definitions.ts'
import { proposeClassification, reclassify } from './propose-classification.ts'
import { extractSecrets, looksSecret, showTransport } from './secret-fields.ts'
import type { ToolDefinition } from './types.ts'
import { cleanText, foldName, hasHidden, spellHidden } from './untrusted-text.ts'

const tool = (name: string, annotations?: JsonObject, properties: JsonObject = {}): ToolDefinition => ({
  name,
  inputSchema: { type: 'object', properties },
  ...(annotations ? { annotations } : {}),
})

describe('the first guess', () => {
  test.each<[string, JsonObject | undefined, string, string]>([
    ['x', undefined, 'destructive', 'high'],
    ['x', { readOnlyHint: true }, 'read', 'low'],
    ['x', { readOnlyHint: true, openWorldHint: true }, 'read', 'medium'],
    ['x', { readOnlyHint: 'true' }, 'destructive', 'high'],
    ['x', { destructiveHint: false }, 'external', 'medium'],
    ['x', { destructiveHint: false, openWorldHint: false }, 'write', 'medium'],
    // A server that lies would lie downwards.
    ['delete_file', { readOnlyHint: true }, 'destructive', 'high'],
    ['createPayment', { destructiveHint: false }, 'money', 'critical'],
    ['list_payments', { readOnlyHint: true }, 'read', 'low'],
    ['grant-role', undefined, 'identity', 'critical'],
  ])('%s %j is %s, %s', (name, annotations, kind, risk) => {
    expect(proposeClassification(tool(name, annotations))).toMatchObject({ kind, risk })
  })

  test.each<[JsonObject, string[]]>([
    [{ path: { type: 'string' }, text: { type: 'string' } }, ['/path']],
    [{ paths: { type: 'array', items: { type: 'string' } } }, ['/paths/*']],
    [{ inputFile: {}, source: { type: 'string' }, destination: { type: ['string', 'null'] } }, ['/inputFile', '/source', '/destination']],
    [{ edits: { type: 'array', items: { type: 'object', properties: { 'file/name': { type: 'string' } } } } }, ['/edits/*/file~1name']],
    [{ path: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] } }, ['/path', '/path/*']],
    [{ uri: { type: 'string', description: 'file:// or http://' }, url: { type: 'string' } }, ['/uri']],
    [{ file: { $ref: '#/$defs/f' }, path: { type: 'string', enum: ['a'] }, folder: { type: 'number' } }, []],
  ])('of path arguments in %j is %j', (properties, paths) => {
    expect(proposeClassification(tool('x', undefined, properties)).paths).toEqual(paths)
  })

  test('follows references inside the schema, and ends where they go round or multiply', () => {
    const node: JsonObject = { $ref: '#/$defs/node' }
    const schema = (defs: JsonObject): ToolDefinition => ({ name: 'x', inputSchema: { properties: { path: node }, $defs: defs } })
    expect(proposeClassification(schema({ node: { type: 'string' } })).paths).toEqual(['/path'])
    const started = performance.now()
    const round = { node: { anyOf: Array.from({ length: 50 }, () => node), properties: { path: node }, items: node } }
    expect(proposeClassification(schema(round)).paths.length).toBeLessThanOrEqual(64)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('after a change keeps what was confirmed, unless the new definition hints at worse', () => {
    const confirmed = { kind: 'write', risk: 'medium', paths: ['/target'] } as const
    const again = (before: ToolDefinition, after: ToolDefinition) => reclassify({ ...confirmed, paths: ['/target'] }, before, after)
    expect(again(tool('x'), tool('x', undefined, { path: { type: 'string' } }))).toEqual({
      kind: 'write',
      risk: 'medium',
      paths: ['/target', '/path'],
    })
    expect(again(tool('x', { readOnlyHint: true }), tool('x'))).toMatchObject({ kind: 'destructive', risk: 'high' })
    expect(again(tool('x'), tool('x', { readOnlyHint: true }))).toMatchObject({ kind: 'write', risk: 'medium' })
  })
})

describe('untrusted text', () => {
  test('is shown without what moves the cursor, turns the text around or hides a sentence', () => {
    const text = 'Reads\u001b[2J a \u202efile\u200b\u{E0068}\u{E0069} ❤\uFE0F\n\tok'
    expect(cleanText(text)).toBe('Reads[2J a file ❤\uFE0F\n\tok')
    expect(spellHidden(text)).toBe('Reads⟨U+001B⟩[2J a ⟨U+202E⟩file⟨U+200B⟩⟨tags: hi⟩ ❤\uFE0F\n\tok')
    expect([hasHidden(text), hasHidden('plain ❤\uFE0F\n')]).toEqual([true, false])
  })

  test.each([
    ['read_file', 'rеаd_filе'],
    ['pay', 'ｐａｙ'],
    ['send', 'se\u00adnd'],
    ['list-all', 'list‑all'],
    ['O', '0'],
  ])('%s and %s look the same', (one, other) => {
    expect(foldName(one)).toBe(foldName(other))
    expect(findingsOf([one, other]).join()).toContain('look the same')
  })

  test('names that differ visibly are fine; one with hidden characters is not', () => {
    expect(findingsOf(['read_file', 'read_files', 'Lesen', 'größe', '読む'])).toEqual([])
    expect(findingsOf(['re\u2060ad'])).toEqual(['the name re⟨U+2060⟩ad contains characters that cannot be seen'])
  })
})

describe('differences', () => {
  test('are named path by path', () => {
    const before = { name: 'x', inputSchema: { properties: { to: { type: 'string' }, cc: {} }, required: ['to'] } }
    const after = {
      name: 'x',
      inputSchema: { properties: { to: { type: 'number' }, 'b/cc': { type: 'string' } }, required: ['to', 'b/cc'] },
    }
    expect(diffDefinitions(before, after).map(({ where, change }) => `${change} ${where}`)).toEqual([
      'changed /inputSchema/properties/to/type',
      'removed /inputSchema/properties/cc',
      'added /inputSchema/properties/b~1cc',
      'added /inputSchema/required/1',
    ])
    expect(diffDefinitions({ a: [1] }, { a: { 0: 1 } })).toMatchObject([{ where: '/a', text: '[1] became {"0":1}' }])
    expect(diffDefinitions(before, structuredClone(before))).toEqual([])
  })

  test('stay bounded in number, length and time', () => {
    const many = (value: number) => Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, value]))
    expect(diffDefinitions(many(1), many(2))).toHaveLength(201)
    const words = (seed: number) => Array.from({ length: 9000 }, (_, i) => ((i * seed) % 997).toString(36)).join(' ')
    const started = performance.now()
    const [difference] = diffDefinitions({ d: words(31) }, { d: words(37) })
    expect(performance.now() - started).toBeLessThan(3000)
    expect(difference?.text.length).toBeLessThan(2100)
  })
})

describe('secrets in a transport', () => {
  test('are found by name and by shape, and whole values move', () => {
    const { transport, secrets } = extractSecrets('gh', {
      type: 'stdio',
      command: 'x',
      args: ['--api-key', 'abc', '--token=abc', '--root', '/srv/data', 'https://u:pw@host/db', 'secret:gh.other', '--verbose'],
      env: {
        GITHUB_TOKEN: 'abc',
        LANG: 'C',
        DB: 'postgres://u:pw@host/db',
        DONE: 'secret:x',
        EMPTY_TOKEN: '',
        HOME_PATH: '/srv/a-very-long-folder-name/with/some/more/in/it',
      },
    })
    expect(transport).toMatchObject({
      args: ['--api-key', 'secret:gh.arg2', 'secret:gh.arg3', '--root', '/srv/data', 'secret:gh.arg6', 'secret:gh.other', '--verbose'],
      env: { GITHUB_TOKEN: 'secret:gh.GITHUB_TOKEN', LANG: 'C', DB: 'secret:gh.DB', DONE: 'secret:x', EMPTY_TOKEN: '' },
    })
    expect(secrets.map(({ name }) => name).toSorted()).toEqual(['gh.DB', 'gh.GITHUB_TOKEN', 'gh.arg2', 'gh.arg3', 'gh.arg6'])
    expect(JSON.stringify(transport)).not.toMatch(/abc|pw@/)
  })

  test('two fields that come to the same name keep their own values', () => {
    const { transport } = extractSecrets('s', { type: 'stdio', command: 'x', args: [], env: { 'MY KEY': 'one', MY_KEY: 'two' } })
    expect(transport).toMatchObject({ env: { 'MY KEY': 'secret:s.MY_KEY', MY_KEY: 'secret:s.MY_KEY-2' } })
  })

  test('every header is one, and an address that carries one', () => {
    const { transport, secrets } = extractSecrets('r', {
      type: 'http',
      url: 'https://host/mcp?api_key=abc',
      headers: { 'X-Team': 'blue', Done: 'secret:x' },
    })
    expect(transport).toEqual({ type: 'http', url: 'secret:r.url', headers: { 'X-Team': 'secret:r.X-Team', Done: 'secret:x' } })
    expect(secrets).toHaveLength(2)
  })

  test.each(['sk-proj-abcdefghijklmnopqrst', 'ghp_abcdefghij0123456789', 'AKIAABCDEFGHIJKLMNOP', 'xoxb-1234567890-abc', 'a1'.repeat(20)])(
    '%s looks like one',
    (value) => {
      expect(looksSecret(value)).toBe(true)
    },
  )
  test.each([
    '@modelcontextprotocol/server-filesystem',
    '/srv/data/reports/2026/november/final',
    'production',
    '127.0.0.1:5432',
    'https://example.com/mcp',
  ])('%s does not', (value) => {
    expect(looksSecret(value)).toBe(false)
  })

  test('what is shown names references and hides the rest', () => {
    expect(showTransport({ type: 'stdio', command: 'x', args: [], env: { A: 'plain', B: 'secret:b', C: '' } })).toMatchObject({
      env: { A: '(set)', B: 'secret:b', C: '' },
    })
    expect(showTransport({ type: 'http', url: 'https://a/', headers: { A: 'plain' } })).toMatchObject({ headers: { A: '(set)' } })
  })
})
