/** Confinement under attack: every way out of a folder that a path's text can hide. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { array, assert, constantFrom, property } from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { confine } from './confine.ts'

const home = realpathSync(mkdtempSync(join(tmpdir(), 'confine-')))
const data = join(home, 'data')
mkdirSync(join(data, 'deep', 'er'), { recursive: true })
mkdirSync(join(home, 'database'))
mkdirSync(join(home, 'elsewhere', 'inner'), { recursive: true })
writeFileSync(join(data, 'a.txt'), 'a')
writeFileSync(join(home, 'secret.txt'), 's')
symlinkSync(join(home, 'elsewhere', 'inner'), join(data, 'out'))
symlinkSync(join(home, 'not-there-yet'), join(data, 'dangling'))
symlinkSync(join(data, 'deep'), join(data, 'in'))
symlinkSync(join(data, 'loop'), join(data, 'loop'))
afterAll(() => rmSync(home, { recursive: true }))

const outside = (path: unknown, pointer = '/path') => confine([data], { path } as never, [pointer]).outside

describe('inside', () => {
  test.each([
    join(data, 'a.txt'),
    'a.txt',
    './deep/er',
    'new/file/that/is/not/there.txt',
    data,
    `${data}/`,
    join(data, 'deep', '..', 'a.txt'),
    'in/er',
    'in/er/../../in',
    'Foo$Bar.class',
    '100% sure.txt',
    'café.txt',
    pathToFileURL(join(data, 'a.txt')).href,
  ])('%s', (path) => expect(outside(path)).toEqual([]))

  test('answers the canonical path', () => {
    expect(confine([data], { path: 'in/../a.txt' }, ['/path']).all).toEqual([join(data, 'a.txt')])
    expect(confine([data], { path: 'in/er' }, ['/path']).all).toEqual([join(data, 'deep', 'er')])
  })

  test('a second folder counts as well', () => {
    expect(confine([data, join(home, 'database')], { path: join(home, 'database', 'x') }, ['/path']).outside).toEqual([])
  })
})

describe('outside', () => {
  test.each([
    '/etc/passwd',
    '..',
    '../secret.txt',
    'deep/../../secret.txt',
    join(home, 'database', 'x'),
    join(home, 'data2'),
    'out',
    'out/file',
    // By the text this is data/a.txt; the kernel goes to elsewhere/a.txt.
    'out/../a.txt',
    'dangling',
    'dangling/x',
    'loop',
    '%2e%2e/secret.txt',
    '..%2fsecret.txt',
    '%252e%252e%252fsecret.txt',
    '..%2f100%',
    '..\\secret.txt',
    '．．／secret.txt',
    'a.txt\0.png',
    '~',
    '~/x',
    '~root/x',
    '$HOME/x',
    'x/${HOME}',
    ' ../secret.txt',
    ' file:///etc/passwd',
    'file:///etc/passwd',
    'FILE:///etc/passwd',
    'file://host/share',
    'file:///etc%2fpasswd',
    'http://example.com/',
    'C:\\Windows',
    '\\\\host\\share',
    '',
    'in/../'.repeat(700),
    `${'x'.repeat(300)}/y`,
  ])('%s', (path) => expect(outside(path)).toHaveLength(1))

  test.each([[{ toString: 'a.txt' }], [7], [true]])('%j instead of a string', (value) => expect(outside(value)).toHaveLength(1))

  test('everything, when there are no folders', () => {
    expect(confine([], { path: 'a.txt' }, ['/path']).outside).toEqual(['a.txt'])
  })
})

describe('pointers', () => {
  test('one bad path among many is found, in an array where a string was declared too', () => {
    expect(outside(['a.txt', '/etc/passwd'], '/path/*')).toEqual(['/etc/passwd'])
    expect(outside(['a.txt', ['/etc/passwd']])).toEqual(['/etc/passwd'])
    expect(outside('/etc/passwd', '/path/*')).toEqual(['/etc/passwd'])
  })
  test('reach into objects, with escapes', () => {
    expect(confine([data], { e: [{ 'a/b': '../x' }, { 'a/b': 'y' }] }, ['/e/*/a~1b']).outside).toHaveLength(1)
    expect(confine([data], { e: { one: '../x' } }, ['/e/*']).outside).toHaveLength(1)
  })
  test('an absent or null argument is no path, a wrong shape on the way is outside', () => {
    expect(confine([data], { path: null }, ['/path', '/other', '/constructor'])).toEqual({ all: [], outside: [] })
    expect(confine([data], { options: 'text' }, ['/options/path']).outside).toEqual(['["text"]'])
  })
  test('more paths than are looked at count as outside', () => {
    expect(outside(Array.from({ length: 300 }, () => 'a.txt'))).toEqual(['(44 more paths)'])
  })
})

test('whatever the text, a path that is called inside opens nothing outside', () => {
  const piece = constantFrom('..', '.', 'out', 'in', 'deep', 'a.txt', '%2e%2e', '\\', '/', '//', 'data', ' ', '．．')
  assert(
    property(array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('/')
      if (outside(text).length > 0) return
      let real: string
      try {
        real = realpathSync.native(text.startsWith('/') ? text : `${data}/${text}`)
      } catch {
        return
      }
      expect(`${real}/`.startsWith(`${data}/`)).toBe(true)
    }),
    { numRuns: 500 },
  )
})
