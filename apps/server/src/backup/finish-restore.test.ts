/** The moves that put a restored installation into place, stopped after each: the next start finishes them, and nothing is lost. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decide, finishRestore, moveIntoPlace, newIn } from './finish-restore.ts'

const NAMES = ['checkpoint', 'policies', 'store.db']

/** An old installation, and a new one that was decided on. */
function prepare(): string {
  const home = mkdtempSync(join(tmpdir(), 'ephor-finish-'))
  for (const [folder, word] of [
    [home, 'old'],
    [newIn(home), 'new'],
  ] as const) {
    mkdirSync(join(folder, 'policies'), { recursive: true })
    for (const name of ['checkpoint', 'policies/a.cedar', 'store.db']) writeFileSync(join(folder, name), word)
  }
  writeFileSync(join(home, 'store.db-wal'), 'old')
  writeFileSync(join(home, 'ephor.yaml'), 'untouched')
  decide(home, { aside: 'replaced-now', names: NAMES })
  return home
}

function expectNew(home: string): void {
  for (const name of ['checkpoint', 'policies/a.cedar', 'store.db']) {
    expect(readFileSync(join(home, name), 'utf8')).toBe('new')
    expect(readFileSync(join(home, 'replaced-now', name), 'utf8')).toBe('old')
  }
  expect(existsSync(join(home, 'store.db-wal'))).toBe(false)
  expect(readFileSync(join(home, 'replaced-now', 'store.db-wal'), 'utf8')).toBe('old')
  expect(readFileSync(join(home, 'ephor.yaml'), 'utf8')).toBe('untouched')
  expect(readdirSync(home)).not.toContain('restoring')
}

test('a stop after any move is finished', () => {
  let steps = 0
  const whole = prepare()
  moveIntoPlace(whole, () => void steps++)
  expectNew(whole)
  expect(steps).toBe(7)
  for (let stop = 1; stop <= steps; stop++) {
    const home = prepare()
    let left = stop
    expect(() =>
      moveIntoPlace(home, () => {
        if (--left === 0) throw new Error('stopped')
      }),
    ).toThrow('stopped')
    finishRestore(home)
    expectNew(home)
  }
})

test('what was made meanwhile by somebody who did not know does not stay', () => {
  const home = prepare()
  let left = 4
  expect(() =>
    moveIntoPlace(home, () => {
      if (--left === 0) throw new Error('stopped')
    }),
  ).toThrow('stopped')
  mkdirSync(join(home, 'policies'), { recursive: true })
  writeFileSync(join(home, 'policies', 'a.cedar'), 'a default')
  finishRestore(home)
  expectNew(home)
})

test('without a decision nothing is moved', () => {
  const home = mkdtempSync(join(tmpdir(), 'ephor-finish-'))
  mkdirSync(newIn(home), { recursive: true })
  writeFileSync(join(newIn(home), 'store.db'), 'new')
  finishRestore(home)
  expect(existsSync(join(home, 'store.db'))).toBe(false)
})
