/** What the Dockerfile says, and which files it would put into the image. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import dockerignore from '@balena/dockerignore'

export const ROOT = join(import.meta.dirname, '..', '..')
export const DOCKERFILE = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8')

export type Instruction = { word: string; rest: string }

/** The instructions in order, each on one line. */
export function instructions(text = DOCKERFILE): Instruction[] {
  return text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ word: line.split(' ')[0] ?? '', rest: line.slice(line.indexOf(' ') + 1).trim() }))
}

/** Those of the last stage. */
export function lastStage(): Instruction[] {
  const all = instructions()
  return all.slice(all.findLastIndex(({ word }) => word === 'FROM'))
}

/** What COPY takes from the build context, without copies between stages. */
export function copies(): { sources: string[]; to: string }[] {
  return instructions()
    .filter(({ word, rest }) => word === 'COPY' && !rest.includes('--from='))
    .map(({ rest }) => {
      const words = rest.split(/\s+/)
      return { sources: words.slice(0, -1), to: words.at(-1) ?? '' }
    })
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (['node_modules', '.git', '.ephor', 'coverage'].includes(entry.name)) return []
    const path = posix.join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

/** The build context: the repository as .dockerignore leaves it. */
export function contextFiles(): string[] {
  const rules = dockerignore.default().add(readFileSync(join(ROOT, '.dockerignore'), 'utf8'))
  return filesBelow('').filter((path) => !rules.ignores(path))
}

/** Where each file stands below /app in the image, by its place in the repository. */
export function imageFiles(): Map<string, string> {
  const context = contextFiles()
  const placed = new Map<string, string>()
  for (const { sources, to } of copies())
    for (const source of sources)
      for (const path of context) {
        if (path === source) placed.set(path, to === './' ? path : to.endsWith('/') ? posix.join(to, posix.basename(path)) : to)
        else if (path.startsWith(`${source}/`)) placed.set(path, posix.join(to, path.slice(source.length + 1)))
      }
  return placed
}
