/** What a proxy's client sends is read in one way, or not at all. */
import { expect, test } from 'vitest'
import { readRequest, segmentsOf } from './read-request.ts'
import type { HeldRequest } from './read-request.ts'

const settings: Parameters<typeof readRequest>[0] = {
  fulfils: [],
  hosts: ['records.example'],
  subject: { type: 'user', header: 'x-user' },
  routes: [
    { methods: ['GET'], path: '/records/:id', action: 'read', resource: { type: 'record', id: ':id' } },
    { methods: ['DELETE'], path: '/folders/:folder/*', action: 'clear', resource: { type: 'folder', id: 'f-:folder' } },
  ],
}
const held = (changes: Partial<HeldRequest> = {}): HeldRequest => ({
  method: 'GET',
  path: '/records/7',
  host: 'records.example',
  scheme: 'https',
  headers: { 'x-user': 'alice' },
  ...changes,
})

test('a route gives action and resource, the proxy’s header the subject', () => {
  expect(readRequest(settings, held({ path: '/records/7?x=/../admin', host: 'Records.Example.:443' }))).toEqual({
    subject: { type: 'user', id: 'alice' },
    action: { name: 'read' },
    resource: { type: 'record', id: '7' },
    context: { http: { method: 'GET', host: 'records.example', path: '/records/7', scheme: 'https' } },
  })
  expect(readRequest(settings, held({ method: 'DELETE', path: '/folders/a/b/c/' }))).toMatchObject({ resource: { id: 'f-a' } })
})

test.each([
  '/records/../admin',
  '/records/./7',
  '/records//7',
  '//records/7',
  '/records/%2e%2e/admin',
  '/records/7%2fadmin',
  '/records/7%5cadmin',
  '/records/%252e%252e',
  '/records/7\\admin',
  '/records/7;v=1',
  '/records/7#x',
  '/records/7%00',
  '/records/%zz',
  '/records/%c0%ae',
  '/records/caf\u00e9',
  'http://records.example/records/7',
  'records/7',
  '',
  `/records/${'a'.repeat(9000)}`,
])('the path %s is not asked about', (path) => {
  expect(segmentsOf(path)).toBeUndefined()
  expect(readRequest(settings, held({ path }))).toBeTypeOf('string')
})

test('the same name in two forms is one', () => {
  expect(segmentsOf('/records/caf%C3%A9')).toEqual(segmentsOf('/records/cafe%CC%81'))
  expect(segmentsOf('/')).toEqual([])
  expect(segmentsOf('/records/')).toEqual(['records'])
})

test.each([
  ['another host', { host: 'elsewhere.example' }],
  ['no subject', { headers: {} }],
  ['a subject that came twice', { headers: { 'x-user': 'alice,mallory' } }],
  ['a subject from the prototype', { headers: Object.create({ 'x-user': 'alice' }) as Record<string, string> }],
  ['a method without a route', { method: 'PATCH' }],
  ['a method in small letters', { method: 'get' }],
  ['a longer path', { path: '/records/7/secret' }],
])('%s is not asked about', (_what, changes) => {
  expect(readRequest(settings, held(changes))).toBeTypeOf('string')
})
