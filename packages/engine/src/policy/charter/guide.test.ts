/** The charter in the guide is one that is accepted, and says what the guide says of it. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readCharter } from './read-charter.ts'

test('the example of the guide is a charter', () => {
  const guide = readFileSync(new URL('../../../../../docs/guide/charter.md', import.meta.url), 'utf8')
  const text = /```yaml\n([\s\S]*?)```/.exec(guide)?.[1] ?? ''
  expect(readCharter(text)).toMatchObject({
    charter: {
      authorities: { charter: { reviewers: 2 } },
      appetite: { confirm: 'high', refuse: 'critical' },
      risk: { kind: { money: 40, identity: 40 }, class: { critical: 45 }, data: { health: 30, secret: 30, other: 10 }, novel: 10 },
      budgets: { payments: { measure: 'money', limit: 500_000 }, calls: { covers: ['tools/call'] } },
    },
  })
})
