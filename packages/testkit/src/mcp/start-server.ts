/** Starts the testkit's MCP servers: the command for a stdio server, or a process that listens on a free loopback port. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type ServerScript = 'conformant' | 'hostile'

/** How a client starts it over standard streams, with this Node. */
export function stdioServer(script: ServerScript, ...args: string[]): { command: string; args: string[] } {
  const path = fileURLToPath(new URL(`./${script}-server.ts`, import.meta.url))
  return { command: process.execPath, args: [path, ...(script === 'conformant' ? ['--stdio'] : []), ...args] }
}

export type HttpServer = { url: string; pid: number; close: () => Promise<void> }

/** Resolves once it listens. @throws when it ends before that */
export async function httpServer(script: ServerScript, ...args: string[]): Promise<HttpServer> {
  const path = fileURLToPath(new URL(`./${script}-server.ts`, import.meta.url))
  const child = spawn(process.execPath, [path, '--http', '0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`the ${script} server ended with code ${code} before it listened`)))
    child.once('error', reject)
  })
  return {
    url,
    pid: child.pid ?? 0,
    close: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}
