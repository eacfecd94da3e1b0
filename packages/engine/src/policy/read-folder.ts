/** Reads a bundle from a folder: the policies, their tests and the charter that stand directly in it. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CHARTER_FILE } from './charter/read-charter.ts'
import type { Finding, PolicyFiles } from './types.ts'

/** Far above what the check accepts: only keeps a stray file from being read into memory. */
const MAX_BYTES = 4 * 1024 * 1024
const utf8 = new TextDecoder('utf-8', { fatal: true })

function failure(code: string, file: string, message: string): Finding {
  return { code, severity: 'error', file, line: 1, column: 1, message }
}

/** A name with a leading dot is an editor's own file. */
function isPart(name: string): boolean {
  return !name.startsWith('.') && /(?:\.cedar|\.test\.yaml|^charter\.ya?ml)$/i.test(name)
}

/** @returns the texts, or what kept them from being read; never a part of them */
export async function readFolder(folder: string): Promise<{ files: PolicyFiles } | { findings: Finding[] }> {
  const files: Record<string, string> = {}
  const findings: Finding[] = []
  let names: string[]
  try {
    names = (await readdir(folder)).filter(isPart).toSorted()
  } catch (error) {
    return {
      findings: [failure('FOLDER_UNREADABLE', '', `the policy folder cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'error'}`)],
    }
  }
  for (const name of names) {
    // What it restricts would silently not be.
    if (/^charter\.ya?ml$/i.test(name) && name !== CHARTER_FILE)
      findings.push(failure('FILE_NAME', name, `name the charter ${CHARTER_FILE}`))
    try {
      const file = join(folder, name)
      const about = await stat(file)
      if (about.isFile() && about.size <= MAX_BYTES) files[name] = utf8.decode(await readFile(file))
      else findings.push(failure('FILE_UNREADABLE', name, 'this is not a file, or a huge one'))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      const why = code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : (code ?? 'error')
      findings.push(failure('FILE_UNREADABLE', name, `the file cannot be read: ${why}`))
    }
  }
  return findings.length > 0 ? { findings } : { files }
}
