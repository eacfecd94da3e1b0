#!/usr/bin/env node
/** Starts the command line on a Node that can run it: this one, or the one pinned in the repository. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const WANTED = 24
const here = dirname(fileURLToPath(import.meta.url))

if (Number(process.versions.node.split('.')[0]) >= WANTED) {
  const { main } = await import('../src/main.ts')
  await main(process.argv)
} else {
  const pinned = join(here, '..', '..', '..', 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node')
  if (!existsSync(pinned)) {
    console.error(
      `ephor: needs Node ${WANTED} or newer; this is Node ${process.versions.node}. Run "npm run setup" in Ephor's folder, which brings its own, or install a newer Node.`,
    )
    process.exit(1)
  }
  const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  // The child may get the same signal from the terminal or a supervisor too; it takes two at once for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`ephor: the pinned Node could not be started: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    // Ends as the child did, so that whoever waits sees the signal.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
