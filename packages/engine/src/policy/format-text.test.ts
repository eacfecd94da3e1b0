/** Formatting changes how policies look, and nothing else: what would lose a comment or a meaning is refused. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkFiles } from './check-files.ts'
import { formatText } from './format-text.ts'
import { world } from './policy.fixture.ts'

const PACK = join(import.meta.dirname, '../../../../policies')

async function formatted(text: string): Promise<string> {
  const result = await formatText('a.cedar', text)
  if ('findings' in result) throw new Error(JSON.stringify(result.findings))
  return result.text
}

test('the default pack is formatted', async () => {
  for (const name of readdirSync(PACK).filter((file) => file.endsWith('.cedar'))) {
    const text = readFileSync(join(PACK, name), 'utf8')
    expect(await formatted(text), name).toBe(text)
  }
})

test('comments stay where they were, texts are no comments, and formatting twice is formatting once', async () => {
  const text =
    '// of the file\n\n\n// of the policy\n@id("a")@reason("see // here")permit(principal,// who\naction,resource)when{context.input.path like "//*"// what\n};// tail'
  const once = await formatted(text)
  expect(once).toBe(
    [
      '// of the file',
      '',
      '// of the policy',
      '@id("a")',
      '@reason("see // here")',
      'permit (principal, // who',
      '  action, resource)',
      'when',
      '{',
      '  context.input.path',
      '  like',
      '  "//*" // what',
      '}; // tail',
      '',
    ].join('\n'),
  )
  expect(await formatted(once)).toBe(once)
})

test('the same is decided before and after: every policy has the same JSON form, large integers included', async () => {
  const text = 'permit(principal,action==Action::"fs/read",resource)when{context.input has lines&&context.input.lines==9007199254740993};'
  const jsonOf = async (cedar: string) => [...(await checkFiles({ 'a.cedar': cedar }, world)).policies.values()].map(({ json }) => json)
  expect(await jsonOf(await formatted(text))).toEqual(await jsonOf(text))
})

test.each([
  ['permit (principal, action, resource', 'POLICY_SYNTAX'],
  [`permit (principal, action, resource) when { ${'('.repeat(500)}true${')'.repeat(500)} };`, 'POLICY_TOO_DEEP'],
  ['x'.repeat(300_000), 'POLICY_TOO_LARGE'],
  ['permit (principal == ?principal, action, resource);', 'FORMAT_UNSAFE'],
])('what can not be read is left as it is: %.40s', async (text, code) => {
  expect(await formatText('a.cedar', text)).toMatchObject({ findings: [{ code, file: 'a.cedar', severity: 'error' }] })
})
