/** Builds the package as it is published: plain JavaScript with types, for Node 20 and browsers. `node scripts/build.ts [FOLDER]`, `dist` unless said. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('..', import.meta.url))
const ROOT = join(HERE, '../..')

/** In the workspace the sources are what is run and `private` keeps them from being published; what is built is neither. */
function manifest(): object {
  const {
    private: _private,
    scripts: _scripts,
    ...described
  } = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8')) as Record<string, unknown>
  const entry = { types: './src/index.d.ts', default: './src/index.js' }
  return { ...described, exports: { '.': entry }, files: ['src', 'bin'] }
}

export function build(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  execFileSync(process.execPath, [
    join(ROOT, 'node_modules/typescript/bin/tsc'),
    '-p',
    join(HERE, 'tsconfig.build.json'),
    '--outDir',
    folder,
  ])
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`)
  copyFileSync(join(HERE, 'bin/ephor-verify.mjs'), join(folder, 'bin/ephor-verify.mjs'))
  copyFileSync(join(HERE, 'README.md'), join(folder, 'README.md'))
  copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build(resolve(process.argv[2] ?? join(HERE, 'dist')))
