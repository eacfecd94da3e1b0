/** A tool server whose one action can be counted: it appends a line to a file, can kill its client in the middle, and fails on lines that say so. */
import { appendFileSync, readFileSync } from 'node:fs'
import { McpServer } from '@modelcontextprotocol/server'
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'

const [file = '', killFile = ''] = process.argv.slice(2)

const server = new McpServer({ name: 'append', version: '1.0.0' })
server.registerTool('append', { description: 'appends a line', inputSchema: z.object({ line: z.string() }) }, ({ line }) => {
  appendFileSync(file, `${line}\n`)
  // The process to kill stands in a file, so that the same server serves the next start unharmed.
  const victim = Number(readFileSync(killFile, 'utf8') || '0')
  if (victim > 0) process.kill(victim, 'SIGKILL')
  return { content: [{ type: 'text', text: `appended ${line}` }], isError: line.startsWith('fail') }
})
await server.connect(new StdioServerTransport())
