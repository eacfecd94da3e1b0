/** Runs the repository's programs as people do: each in a process of its own, until it ends. */
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const CLI = join(ROOT, 'apps/cli/bin/ephor.mjs')

export type Ended = { code: number | null; out: string; err: string }

/** @param environment all of it, beside PATH */
function program(file: string, args: readonly string[], environment: Record<string, string>): Promise<Ended> {
  const child = spawn(process.execPath, [file, ...args], {
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: join(tmpdir(), 'ephor-test-compiled'), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended: Ended = { code: null, out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (ended.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (ended.err += chunk.toString()))
  return new Promise((resolve) => child.once('close', (code) => resolve({ ...ended, code })))
}

/** The command line, as the owner of a data folder. */
export const runCli = (home: string, ...args: string[]) => program(CLI, args, { HOME: home, EPHOR_HOME: home })

/** `ephor up` that is expected to end by itself. */
export const runUp = (home: string, args: readonly string[] = [], environment: Record<string, string> = {}) =>
  program(CLI, ['up', '--port', '0', ...args], { HOME: home, EPHOR_HOME: home, ...environment })

export const runDemo = () => program(join(ROOT, 'scripts/demo.ts'), [], { HOME: '/nonexistent' })

/** The auditor's program: it knows nothing but the folder. */
export const runVerifier = (folder: string, ...args: string[]) =>
  program(join(ROOT, 'packages/proof/bin/ephor-verify.mjs'), [folder, ...args], {})
