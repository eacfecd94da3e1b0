/** Resources, templates and prompts that the MCP conformance suite reads by name. */
import { ResourceTemplate } from '@modelcontextprotocol/server'
import type { GetPromptResult, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { PNG } from './conformant-tools.ts'

type Content = GetPromptResult['messages'][number]['content']

const said = (...content: Content[]): GetPromptResult => ({ messages: content.map((one) => ({ role: 'user', content: one })) })

export function addResources(server: McpServer): void {
  const add = (name: string, mimeType: string, content: { text: string } | { blob: string }): void => {
    const uri = `test://${name}`
    server.registerResource(name, uri, { description: `For tests: ${name}`, mimeType }, async () => ({
      contents: [{ uri, mimeType, ...content }],
    }))
  }
  add('static-text', 'text/plain', { text: 'This is the content of the static text resource.' })
  add('static-binary', 'image/png', { blob: PNG })
  add('watched-resource', 'text/plain', { text: 'This may be watched.' })
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined })
  const mimeType = 'application/json'
  server.registerResource('template', template, { description: 'For tests: a template', mimeType }, async (uri, { id }) => ({
    contents: [{ uri: uri.toString(), mimeType, text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }) }],
  }))
}

export function addPrompts(server: McpServer): void {
  const prompt = (name: string) => ({ title: name, description: `For tests: ${name}` })
  server.registerPrompt('test_simple_prompt', prompt('without arguments'), async () =>
    said({ type: 'text', text: 'This is a simple prompt for testing.' }),
  )
  const two = z.object({ arg1: z.string(), arg2: z.string() })
  server.registerPrompt('test_prompt_with_arguments', { ...prompt('with arguments'), argsSchema: two }, async ({ arg1, arg2 }) =>
    said({ type: 'text', text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` }),
  )
  const uri = z.object({ resourceUri: z.string() })
  server.registerPrompt('test_prompt_with_embedded_resource', { ...prompt('with a resource'), argsSchema: uri }, async ({ resourceUri }) =>
    said(
      { type: 'resource', resource: { uri: resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' } },
      { type: 'text', text: 'Please process the embedded resource above.' },
    ),
  )
  server.registerPrompt('test_prompt_with_image', prompt('with an image'), async () =>
    said({ type: 'image', data: PNG, mimeType: 'image/png' }, { type: 'text', text: 'Please analyze the image above.' }),
  )
}
