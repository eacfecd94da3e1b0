/** The snippet of each client, in the exact form that the client reads. */
import { expect, test } from 'vitest'
import { snippetFor } from './index.ts'

const stdio = { command: 'ephor', args: ['mcp', '--agent', "o'neil"], env: { EPHOR_HOME: 'x y' } }
const http = { url: 'http://127.0.0.1:7373/mcp', credential: 'eph_x' }
const headers = { Authorization: 'Bearer eph_x' }
const json = (...given: Parameters<typeof snippetFor>): unknown => JSON.parse(snippetFor(...given).text)

test('over HTTP, for those that speak it', () => {
  expect(json('claude-code', { http, stdio })).toEqual({ mcpServers: { ephor: { type: 'http', url: http.url, headers } } })
  expect(json('cursor', { http, stdio })).toEqual({ mcpServers: { ephor: { url: http.url, headers } } })
  expect(json('vscode', { http, stdio })).toEqual({ servers: { ephor: { type: 'http', url: http.url, headers } } })
})

test('as a command, for those that do not, and where there is no credential to give', () => {
  expect(json('claude-desktop', { http, stdio })).toEqual({ mcpServers: { ephor: stdio } })
  expect(json('other', { http, stdio })).toEqual({ mcpServers: { ephor: stdio } })
  expect(json('cursor', { stdio })).toEqual({ mcpServers: { ephor: stdio } })
  expect(json('vscode', { stdio: { command: 'ephor', args: ['mcp'] } })).toEqual({
    servers: { ephor: { type: 'stdio', command: 'ephor', args: ['mcp'] } },
  })
})

test('commands are quoted for a shell', () => {
  expect(snippetFor('claude-code', { http, stdio }).command).toBe(
    "claude mcp add --transport http ephor http://127.0.0.1:7373/mcp --header 'Authorization: Bearer eph_x'",
  )
  expect(snippetFor('claude-code', { stdio }).command).toBe(
    `claude mcp add --transport stdio --env 'EPHOR_HOME=x y' ephor -- ephor mcp --agent 'o'\\''neil'`,
  )
  expect(snippetFor('vscode', { http, stdio }).command).toContain('code --add-mcp \'{"name":"ephor"')
  expect(snippetFor('cursor', { http, stdio })).not.toHaveProperty('command')
})
