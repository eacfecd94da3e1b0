/** What `ephor up` tells a person in a terminal: where everything is, how to connect an agent, what to try; one screen. */
import { readFileSync } from 'node:fs'
import type { RunningServer, EffectiveSettings } from '@ephor/server'

const bold = (text: string) => `\u001b[1m${text}\u001b[0m`
const dim = (text: string) => `\u001b[2m${text}\u001b[0m`

function snippets(mcp: string, credential: string): string[] {
  const header = `Authorization: Bearer ${credential}`
  const entry = (type: string) => `{"ephor":{${type}"url":"${mcp}","headers":{"Authorization":"Bearer ${credential}"}}}`
  return [
    bold('Connect an agent'),
    `  Easiest       ephor connect ${dim('finds Claude Desktop, Claude Code, Cursor and VS Code; ephor disconnect undoes it')}`,
    `  Claude Code   claude mcp add --transport http ephor ${mcp} \\`,
    `                  --header "${header}"`,
    `  Cursor        ${dim('~/.cursor/mcp.json, "mcpServers":')}`,
    `                ${entry('')}`,
    `  VS Code       ${dim('.vscode/mcp.json, "servers":')}`,
    `                ${entry('"type":"http",')}`,
  ]
}

function desktop(home: string): string[] {
  const program = new URL('../../bin/ephor.mjs', import.meta.url).pathname
  return [
    `  Claude        ${dim('claude_desktop_config.json, "mcpServers":')}`,
    `  Desktop       {"ephor":{"command":"node","args":["${program}","mcp","--home","${home}"]}}`,
  ]
}

export async function welcome(running: RunningServer, settings: EffectiveSettings): Promise<string> {
  const { url, demo } = running
  const mcp = `${url}/mcp`
  const credential = demo && readFileSync(demo.file, 'utf8').trim()
  const lines = [
    '',
    `${bold('Ephor is running.')} ${dim(`Data in ${settings.home}`)}`,
    '',
    `  Console       ${await running.signInLink()}`,
    `                ${dim('signs you in once, within ten minutes; ephor login makes another')}`,
    `  API           ${url}/v1  ${dim(`described at ${url}/openapi.json`)}`,
    `  MCP endpoint  ${mcp}`,
    ...(credential ? [`  Demo agent    ${credential}`] : []),
    '',
    ...(credential
      ? [...snippets(mcp, credential), ...desktop(settings.home)]
      : [bold('Connect an agent'), '  ephor agents add, ephor agents token; or ephor connect']),
    '',
    bold('Try next'),
    ...(demo
      ? [`  Ask the agent to read welcome.txt, write a file, then move it: the move waits for you. ${dim(`(${demo.folder})`)}`]
      : ['  ephor servers add: propose a tool server, look at what it offers, accept it.']),
    `  ephor approvals list · ephor decisions tail · ephor ledger verify · npm run demo`,
    '',
    dim('ephor is npx ephor in the folder of the repository. Decisions, as they are made (Ctrl-C stops):'),
    '',
  ]
  return lines.join('\n')
}
