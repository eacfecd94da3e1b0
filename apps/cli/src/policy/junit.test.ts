/** JUnit XML, read back by a browser's parser rules as far as build servers rely on them: nothing that a case says is markup. */
import { expect, test } from 'vitest'
import { junitOf } from './junit.ts'
import type { JunitCase } from './junit.ts'

const result = (more: Partial<JunitCase> = {}): JunitCase => ({
  file: 'a.test.yaml',
  line: 3,
  name: 'a case',
  ok: true,
  expected: 'permit',
  got: 'permit',
  ms: 1.5,
  ...more,
})

type Element = { tag: string; attributes: Record<string, string>; children: Element[]; text: string }

const decode = (text: string) => text.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))

/** A strict reader of the XML that is needed here: what it can't place, it refuses. */
function parse(xml: string): Element {
  const root: Element = { tag: '', attributes: {}, children: [], text: '' }
  const open = [root]
  const token = /<\?[^?]*\?>|<(\/?)([a-z]+)((?: [a-z]+="[^"<&]*(?:&#\d+;[^"<&]*)*")*)(\/?)>|([^<]+)/gy
  let at = 0
  for (let match = token.exec(xml); match; match = token.exec(xml)) {
    at = token.lastIndex
    const [, closing, tag, written = '', empty, text] = match
    const top = open.at(-1) ?? root
    if (text !== undefined) {
      if (/&(?!#\d+;)/.test(text)) throw new Error(`a bare & in ${text}`)
      top.text += decode(text)
    } else if (closing === '/') {
      if (open.pop()?.tag !== tag) throw new Error(`</${tag}> closes something else`)
    } else if (tag !== undefined) {
      const pairs = [...written.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, decode(value)])
      const element = { tag, attributes: Object.fromEntries(pairs), children: [], text: '' }
      top.children.push(element)
      if (empty !== '/') open.push(element)
    }
  }
  if (at !== xml.length || open.length !== 1) throw new Error(`no XML from ${xml.slice(at, at + 40)}`)
  return root
}

test('each file is a suite, each case a testcase, with counts that agree', () => {
  const xml = parse(junitOf([result(), result({ ok: false, got: 'deny' }), result({ file: 'b.test.yaml' })]))
  const [suites] = xml.children
  expect(suites?.tag).toBe('testsuites')
  expect(suites?.attributes).toMatchObject({ tests: '3', failures: '1', errors: '0', skipped: '0', time: '0.004500' })
  expect(suites?.children.map(({ attributes: { name, tests, failures } }) => [name, tests, failures])).toEqual([
    ['a.test.yaml', '2', '1'],
    ['b.test.yaml', '1', '0'],
  ])
  const [, failed] = suites?.children[0]?.children ?? []
  expect(failed?.attributes).toMatchObject({ name: 'a case', classname: 'a.test.yaml', line: '3' })
  expect(failed?.children[0]).toMatchObject({ tag: 'failure', attributes: { message: 'expected permit, got deny' } })
})

test('whatever a case is called, it stays text', () => {
  const names = [
    `</testcase><testcase name="forged"/>`,
    `" ok="1`,
    `a & b &amp; ]]> <!-- -->`,
    `line\nbreak\ttab\rreturn`,
    `'single'`,
    '🜂 ünï',
  ]
  const [suites] = parse(junitOf(names.map((name) => result({ name, ok: false, expected: name, got: name })))).children
  const cases = suites?.children[0]?.children ?? []
  expect(cases.map(({ attributes }) => attributes['name'])).toEqual(names)
  for (const [i, { children }] of cases.entries()) {
    const name = names[i] ?? ''
    expect(children.map(({ tag, attributes, text }) => [tag, attributes['message'], text])).toEqual([
      ['failure', `expected ${name}, got ${name}`, `a.test.yaml:3: expected ${name}, got ${name}`],
    ])
  }
})

test('what XML can not hold is replaced: control characters and halves of surrogate pairs', () => {
  const xml = junitOf([result({ name: 'a\u0000b\u001b[31mc\ud800d\uffff' })])
  // oxlint-disable-next-line no-control-regex -- exactly these must not be there
  expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/)
  expect(xml.isWellFormed()).toBe(true)
  expect(parse(xml).children[0]?.children[0]?.children[0]?.attributes['name']).toBe('a\ufffdb\ufffd[31mc\ufffdd\ufffd')
})

test('no cases are a document without suites', () => {
  expect(parse(junitOf([])).children[0]).toMatchObject({ tag: 'testsuites', children: [], attributes: { tests: '0' } })
})
