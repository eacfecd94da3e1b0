/** Questions to a thread that hangs, breaks or is slow: each gets its own answer or a denial, none gets another's. */
import { expect, test } from 'vitest'
import type { CedarCalls, Question } from './cedar-thread.ts'
import { openEvaluator } from './open-evaluator.ts'
import { CedarBroken, startCedar } from './start-cedar.ts'
import type { Cedar } from './start-cedar.ts'

const question = (id: string): Question => ({
  slice: 's',
  principal: { type: 'Agent', id },
  action: { type: 'Action', id: 'a' },
  resource: { type: 'ToolServer', id: 'r' },
  context: {},
  entities: [],
})

/** A thread that answers each question with its principal, hangs on `hang` and breaks on `bad`. */
function scripted() {
  const messages: string[][] = []
  let started = 0
  const start = (): Cedar => {
    started++
    let dead = false
    let rejectHung: (error: Error) => void = () => undefined
    return {
      get dead() {
        return dead
      },
      async ask(kind: string, argument: unknown): Promise<never> {
        if (kind !== 'evaluate') return null as never
        const ids = (argument as CedarCalls['evaluate'][0]).questions.map(({ principal }) => principal.id)
        messages.push(ids)
        if (ids.includes('hang')) await new Promise((_, reject) => (rejectHung = reject))
        if (ids.includes('bad')) {
          dead = true
          throw new CedarBroken('bad')
        }
        return ids.map((id) => ({ satisfied: [id], errors: [] })) as never
      },
      close() {
        dead = true
        rejectHung(new CedarBroken('closed'))
      },
    }
  }
  return { start, messages, started: () => started }
}

test('questions of one moment go in one message', async () => {
  const { start, messages } = scripted()
  const evaluator = openEvaluator({}, 1000, start)
  const answers = await Promise.all(['1', '2', '3'].map((id) => evaluator.evaluate(question(id), [])))
  expect(answers).toEqual(['1', '2', '3'].map((id) => ({ satisfied: [id], errors: [] })))
  expect(messages).toEqual([['1', '2', '3']])
  evaluator.close()
})

test('one that breaks the engine is denied; those that were asked with it are answered', async () => {
  const { start, messages, started } = scripted()
  const evaluator = openEvaluator({}, 1000, start)
  const answers = await Promise.all(['1', 'bad', '2'].map((id) => evaluator.evaluate(question(id), [])))
  expect(answers).toEqual([{ satisfied: ['1'], errors: [] }, 'broken', { satisfied: ['2'], errors: [] }])
  expect(messages).toEqual([['1', 'bad', '2'], ['1'], ['bad'], ['2']])
  expect(started()).toBe(3)
  evaluator.close()
})

test('one that hangs is given up at its deadline, and a fresh thread serves the others', async () => {
  const { start } = scripted()
  const evaluator = openEvaluator({}, 200, start)
  const hung = evaluator.evaluate(question('hang'), [])
  await new Promise((resolve) => setTimeout(resolve, 100))
  const waiting = evaluator.evaluate(question('1'), [])
  expect(await hung).toBe('timeout')
  expect(await waiting).toEqual({ satisfied: ['1'], errors: [] })
  evaluator.close()
})

test('a real thread that throws ends, and says so to everyone who waits', async () => {
  const cedar = startCedar()
  const deep = `permit (principal, action, resource) when { ${'('.repeat(4000)}true${')'.repeat(4000)} };`
  const answers = await Promise.allSettled([cedar.ask('syntax', deep), cedar.ask('syntax', 'permit (principal, action, resource);')])
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(cedar.dead).toBe(true)
  await expect(cedar.ask('syntax', '')).rejects.toThrow(CedarBroken)
})

test('a real thread that takes too long is ended', async () => {
  const cedar = startCedar()
  await expect(cedar.ask('syntax', 'permit (principal, action, resource);', 0)).rejects.toThrow('no answer')
  expect(cedar.dead).toBe(true)
})
