/** The pure parts: lines, events, limits, headers and pauses. */
import { Readable } from 'node:stream'
import { array, assert, integer, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import { afterFailure } from './backoff.ts'
import { readEventStream } from './event-stream.ts'
import type { Answer } from './http-exchange.ts'
import { checkMessage } from './check-message.ts'
import { paramHeaders } from './param-headers.ts'
import { RateLimit } from './rate-limit.ts'
import { readLines } from './read-lines.ts'
import { idOfLine } from './stdio-wire.ts'

test('lines come out the same however the bytes are cut, and none is longer than the limit', () => {
  assert(
    property(array(string({ maxLength: 40 })), array(integer({ min: 1, max: 30 }), { minLength: 1 }), (texts, cuts) => {
      const lines = texts.map((text) => text.replaceAll('\n', ' ')).filter((line) => line !== '')
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
      const seen: string[] = []
      const tooLong: number[] = []
      const read = readLines(
        20,
        (line) => seen.push(line),
        (_head, _tail, size) => tooLong.push(size),
      )
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = cuts[i % cuts.length] ?? 1
        read(bytes.subarray(at, at + size))
        at += size
      }
      expect(seen).toEqual(lines.filter((line) => Buffer.byteLength(line) <= 20))
      expect(tooLong).toEqual(lines.map((line) => Buffer.byteLength(line)).filter((size) => size > 20))
    }),
  )
})

test('the request of a discarded line is told from where JSON writers put the id', () => {
  expect(idOfLine('{"jsonrpc":"2.0","id":7,"result":{', '')).toBe(7)
  expect(idOfLine('{"result":{"x":"', 'xxx"},"jsonrpc":"2.0","id":8}')).toBe(8)
  expect(idOfLine('{"result":{"x":"', 'xxx"},"id":9,"jsonrpc":"2.0"}')).toBe(9)
  expect(idOfLine('{"id":10,"result":{', '')).toBe(10)
  expect(idOfLine('{"result":{"id":7', '"id":7}}')).toBeUndefined()
})

test.each(['\n', '\r\n', '\r'])('each event of a stream is bounded, and the stream is not (lines end with %j)', async (end) => {
  const read = async (...chunks: string[]): Promise<string[]> => {
    const heard: string[] = []
    const answer = { body: Readable.from(chunks.map((chunk) => Buffer.from(chunk))) } as unknown as Answer
    await readEventStream(answer, 100, { message: (data) => heard.push(data), id: (id) => heard.push(`id ${id}`), retry: () => {} })
    return heard
  }
  const event = `id: 7${end}data: ${'a'.repeat(40)}${end}${end}`
  expect(await read(...Array.from({ length: 10 }, () => event), ':')).toHaveLength(20)
  expect(await read(event.repeat(10), ':')).toHaveLength(20)
  const tooLarge = { code: 'UPSTREAM_RESULT_TOO_LARGE' }
  await expect(read(`data: ${'a'.repeat(101)}${end}${end}`, ':')).rejects.toMatchObject(tooLarge)
  await expect(read(...Array.from({ length: 100 }, () => `data: aaaa${end}`))).rejects.toMatchObject(tooLarge)
  await expect(read(...Array.from({ length: 11 }, (_, i) => (i === 0 ? 'data:' : 'x'.repeat(10))))).rejects.toMatchObject(tooLarge)
})

test('what can not be recorded is found without recursion', () => {
  const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`) as []
  expect(checkMessage(deep, 128)).toContain('128')
  expect(checkMessage({ a: [{ b: 'c' }] }, 3)).toBeUndefined()
  expect(checkMessage({ a: [{ b: 'c' }] }, 2)).toContain('inside one another')
  expect(checkMessage(['\ud800'], 8)).toContain('surrogate')
  expect(checkMessage({ '\ud800': 1 }, 8)).toContain('surrogate')
  expect(checkMessage(JSON.parse('{"__proto__":1}') as object as [], 8)).toContain('__proto__')
})

test('arguments are mirrored into headers only where the schema says so, and safely encoded', () => {
  const marked = (name: string, type = 'string') => ({ type, 'x-mcp-header': name })
  const nested = { type: 'object', properties: { inner: marked('Inner', 'boolean') } }
  const schema = {
    properties: { a: marked('A'), b: marked('B', 'integer'), bad: marked('no good'), whole: marked('Whole', 'object'), plain: {}, nested },
  }
  const args = { a: 'line\r\nbreak', b: 7, bad: 'x', whole: {}, plain: 'p', nested: { inner: true }, other: 1 }
  expect(paramHeaders(schema, args)).toEqual({
    'Mcp-Param-A': `=?base64?${Buffer.from('line\r\nbreak').toString('base64')}?=`,
    'Mcp-Param-B': '7',
    'Mcp-Param-Inner': 'true',
  })
  expect(paramHeaders(schema, { a: null })).toEqual({})
  expect(paramHeaders(schema, { a: 'plain text' })).toEqual({ 'Mcp-Param-A': 'plain text' })
  expect(paramHeaders(schema, { a: '=?base64?eA==?=' })['Mcp-Param-A']).not.toBe('=?base64?eA==?=')
})

test('pauses double up to their limit, with jitter', () => {
  let failures = afterFailure(undefined, 0, 1, 500, 60_000)
  expect(failures).toEqual({ count: 1, retryAt: 500 })
  expect(afterFailure(failures, 0, 0, 500, 60_000)).toEqual({ count: 2, retryAt: 500 })
  for (let i = 0; i < 100; i++) failures = afterFailure(failures, 0, 1, 500, 60_000)
  expect(failures.retryAt).toBe(60_000)
})

test('a rate is kept, and a pause earns no more than a second of it', () => {
  let now = 0
  const limit = new RateLimit(10, () => now)
  const taken = (tries: number) => Array.from({ length: tries }, () => limit.take()).filter(Boolean).length
  expect(taken(20)).toBe(10)
  now = 500
  expect(taken(20)).toBe(5)
  now = 100_000
  expect(taken(20)).toBe(10)
})
