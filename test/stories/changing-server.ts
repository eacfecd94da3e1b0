/** A tool server that turns: it describes its tool as a file says, and tells its clients when that changed. Each call that runs appends a line to another file. */
import { appendFileSync, readFileSync, watchFile } from 'node:fs'
import { McpServer } from '@modelcontextprotocol/server'
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'

const [description = '', ran = ''] = process.argv.slice(2)
const described = () => readFileSync(description, 'utf8')

const server = new McpServer({ name: 'changing', version: '1.0.0' })
const tool = server.registerTool('say', { description: described(), inputSchema: z.object({ text: z.string() }) }, ({ text }) => {
  appendFileSync(ran, `${text}\n`)
  return { content: [{ type: 'text', text }] }
})
watchFile(description, { interval: 50 }, () => tool.update({ description: described() }))
await server.connect(new StdioServerTransport())
