/** Installs what is missing (and only then), so that `npm start` and `npm test` work on a fresh clone and offline after that. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const marker = join(root, 'node_modules', '.ephor-installed')
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .update(process.platform + process.arch)
  .digest('hex')

const major = Number(process.versions.node.split('.')[0])
if (major < 18) {
  console.error(
    `Ephor needs Node 18 or newer to install; this is Node ${process.versions.node}. Install a current Node.js and run the command again.`,
  )
  process.exit(1)
}
if (!existsSync(marker) || readFileSync(marker, 'utf8') !== wanted) {
  console.error('Installing what Ephor needs (first run only) ...')
  try {
    // Not `npm ci`: it refuses a lockfile without the optional binaries of every platform, which differ from registry to
    // registry. What the lockfile names is pinned by digest either way.
    execFileSync(
      process.platform === 'win32' ? 'npm.cmd' : 'npm',
      ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'],
      {
        cwd: root,
        stdio: ['ignore', 2, 'inherit'],
        shell: process.platform === 'win32',
      },
    )
  } catch {
    console.error('The packages could not be installed. Check that the npm registry can be reached, then run the command again.')
    process.exit(1)
  }
  writeFileSync(marker, wanted)
}
