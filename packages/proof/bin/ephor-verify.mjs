#!/usr/bin/env node
/** Starts the offline verifier: as built, or, in the repository, on a Node that runs TypeScript: this one or the one that is pinned there. */
import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const built = new URL('./ephor-verify.js', import.meta.url)
const isBuilt = existsSync(built)
const needed = isBuilt ? 20 : 24
const main = isBuilt ? built : new URL('./ephor-verify.ts', import.meta.url)

/** The pinned Node of the repository that this file lies in, or undefined. */
function pinnedNode() {
  const binary = process.platform === 'win32' ? 'node.exe' : 'node'
  for (let folder = dirname(realpathSync(fileURLToPath(import.meta.url))); ; folder = dirname(folder)) {
    for (const path of [join(folder, 'node_modules', 'node', 'bin', binary), join(folder, 'node_modules', '.bin', binary)])
      if (existsSync(path)) return path
    if (folder === dirname(folder)) return undefined
  }
}

if (Number(process.versions.node.split('.')[0]) >= needed) {
  const { run } = await import(main.href)
  process.exitCode = await run(process.argv.slice(2))
} else {
  const node = pinnedNode()
  if (node) process.exitCode = spawnSync(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 2
  else {
    console.error(
      `ephor-verify needs Node ${needed} or newer; this is Node ${process.versions.node}. Install a current Node.js, or run "npm ci" in the repository, which brings its own.`,
    )
    process.exitCode = 2
  }
}
