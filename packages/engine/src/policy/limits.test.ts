/** No question holds up the others: what costs too much is refused, and says so. */
import { expect, test } from 'vitest'
import { checkFiles } from './check-files.ts'
import { createWorld } from './live-world.ts'
import { makeDecider } from './make-decider.ts'
import { openGood } from './open-bundle.fixture.ts'
import { requestOf, toolOf, world } from './policy.fixture.ts'

test('a decision that costs more steps than it may is a denial, and the next one is answered', async () => {
  const text =
    '@reason("r") permit (principal, action == Action::"fs/read", resource) when { context.input has tags && context.input.tags.contains("x") };'
  const checked = await checkFiles({ 'a.cedar': text }, world)
  const errors: string[] = []
  const decider = makeDecider({ bundle: checked, live: createWorld(world), onError: (policy) => errors.push(policy), steps: 5 })
  expect(decider.decide(requestOf('fs/read', { tags: ['x'] }))).toMatchObject({
    effect: 'deny',
    fault: 'POLICY_TIMEOUT',
    version: checked.version,
  })
  const roomy = makeDecider({ bundle: checked, live: createWorld(world), onError: (policy) => errors.push(policy) })
  expect(roomy.decide(requestOf('fs/read', { tags: ['x'] }))).toMatchObject({ effect: 'permit' })
  expect(errors).toEqual([])
})

test('arguments that no policy should have to look through are refused, quickly', async () => {
  const many = toolOf('many', 'read', { tags: { type: 'array', items: { type: 'string' } }, text: { type: 'string' } })
  const text =
    '@reason("r") permit (principal, action == Action::"fs/many", resource) when { context.input has tags && !context.input.tags.isEmpty() };'
  const bundle = await openGood(text, { ...world, tools: [...world.tools, many] })
  const decide = (input: Parameters<typeof requestOf>[1]) => bundle.decide(requestOf('fs/many', input))
  const large = { effect: 'deny', fault: 'INPUT_INVALID', detail: 'The arguments are larger than policies may look at.' }
  expect(decide({ tags: ['a'], text: 'x'.repeat(1024 * 1024 + 1) })).toMatchObject(large)
  expect(decide({ tags: Array.from({ length: 1_100_000 }, () => '') })).toMatchObject(large)
  expect(decide({ tags: ['a'], text: 'x'.repeat(1024 * 1024 - 100) })).toMatchObject({ effect: 'permit' })
})

test('the dearest question that is answered at all is answered in a moment', async () => {
  const many = toolOf('many', 'read', { tags: { type: 'array', items: { type: 'string' } } })
  const condition = Array.from({ length: 40 }, (_, i) => `context.input.tags.contains("${i}")`).join(' || ')
  const text = `@reason("r") permit (principal, action == Action::"fs/many", resource) when { context.input has tags && (${condition}) };`
  const bundle = await openGood(text, { ...world, tools: [...world.tools, many] })
  const request = requestOf('fs/many', { tags: Array.from({ length: 90_000 }, (_, i) => `tag ${i}`) })
  const started = performance.now()
  const decision = bundle.decide(request)
  expect(decision.effect).toBe('deny')
  expect(performance.now() - started).toBeLessThan(1000)
})
