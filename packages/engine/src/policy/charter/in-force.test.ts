/** The charter in its folder: it becomes active with the policies, is refused with them, and holds for every decision. */
import { expect, test } from 'vitest'
import { openRoom, requestOf } from '../policy.fixture.ts'

const PERMIT = '@reason("All.") permit (principal, action, resource);'
const ada = { type: 'Agent', id: 'agt_1' } as const

test('a folder whose charter has errors does not become active, and says where they are', async () => {
  const { policy, close } = await openRoom({ 'a.cedar': PERMIT, 'charter.yaml': 'autonomy:\n  defalt: observe\n' })
  expect(policy.active()).toMatchObject({
    version: undefined,
    refused: { findings: [{ code: 'CHARTER_UNKNOWN', file: 'charter.yaml', line: 2, column: 3, suggestion: 'did you mean default?' }] },
  })
  expect(await policy.decide(requestOf('fs/read'))).toMatchObject({ effect: 'deny', fault: 'POLICY_MISSING' })
  await close()
})

test('a charter under another name is not silently left out', async () => {
  for (const name of ['charter.yml', 'Charter.yaml']) {
    const { policy, close } = await openRoom({ 'a.cedar': PERMIT, [name]: 'autonomy: { default: observe }' })
    expect(policy.active().refused?.findings).toMatchObject([{ code: 'FILE_NAME', file: name }])
    await close()
  }
})

test('a charter is a part of the version, and tests are', async () => {
  const versions = new Set<string | undefined>()
  for (const more of [{}, { 'charter.yaml': '' }, { 'charter.yaml': '# other' }, { 'a.test.yaml': 'cases: []' }]) {
    const { policy, close } = await openRoom({ 'a.cedar': PERMIT, ...more })
    versions.add(policy.version())
    await close()
  }
  expect(versions).not.toContain(undefined)
  expect(versions.size).toBe(4)
})

test('an observer is shown no tool that changes things', async () => {
  const charter = 'autonomy: { rules: [{ mode: observe, agents: [agt_1] }] }'
  const { policy, close } = await openRoom({ 'a.cedar': PERMIT, 'charter.yaml': charter })
  expect(['fs/read', 'fs/write'].map((action) => policy.couldPermit(ada, action, 'fs'))).toEqual([true, false])
  expect(policy.couldPermit({ type: 'Agent', id: 'agt_2' }, 'fs/write', 'fs')).toBe(true)
  await close()
})

test('each decision says its risk and mode, denials too', async () => {
  const { policy, close } = await openRoom({ 'a.cedar': '@reason("No.") forbid (principal, action, resource);' })
  expect(await policy.decide(requestOf('mail/pay'))).toMatchObject({
    effect: 'deny',
    mode: 'confirm-risky',
    risk: { score: 75, tier: 'critical', parts: [{ term: 'kind:money' }, { term: 'class:critical' }] },
  })
  await close()
})

test('an agent cannot confirm its own calls, or look tamer, by what it sends', async () => {
  const charter = 'autonomy: { default: confirm-each }'
  const { policy, close } = await openRoom({ 'a.cedar': PERMIT, 'charter.yaml': charter })
  const input = { risk: { tier: 'low' }, mode: 'autonomous', approvals: ['charter.yaml#autonomy'] }
  expect(await policy.decide(requestOf('fs/read', input))).toMatchObject({ effect: 'hold', asks: [{ policy: 'charter.yaml#autonomy' }] })
  await close()
})

test('what the active policies are warned of includes an overdue review', async () => {
  const { policy, close } = await openRoom({ 'a.cedar': PERMIT, 'charter.yaml': 'review: { every: 30d, last: 2020-01-31 }' })
  expect(policy.active().findings).toMatchObject([{ code: 'CHARTER_REVIEW_OVERDUE', severity: 'warning', line: 1 }])
  await close()
})
