/** The command `ephor-verify`: reads an exported ledger from a folder and says whether it verifies. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readFolderKey, verifyLog } from '../src/index.ts'
import type { LogSource, Verdict } from '../src/index.ts'

const HELP = `Usage: ephor-verify FOLDER [options]

Verifies an exported ledger without its server: the checkpoint's signature, every
entry, the tree of hashes, the links between decisions and outcomes.

Options:
  --vkey KEY|FILE   The log's verifier key, as you got it from a source you trust.
                    Without it the key in the folder is used, which shows only that
                    the folder is consistent in itself, not whose log it is.
  --earlier FILE    A checkpoint of this log that you kept from before: also shows
                    that nothing it covered was dropped, changed or replaced.
  --json            The result as one JSON object.
  --help            This text.

Exit codes: 0 verified, 1 does not verify, 2 usage (or the folder can't be read).
`

class Usage extends Error {}

function folderSource(folder: string): LogSource {
  return {
    async read(path) {
      try {
        return await readFile(join(folder, ...path.split('/')))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
        throw error
      }
    },
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Usage(`${file} can't be read: ${(error as Error).message}`)
  }
}

/** A key is `name+id+base64`; what does not look like one is the name of a file that holds one. */
async function givenKey(vkey: string): Promise<string> {
  return /^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/.test(vkey.trim()) ? vkey : (await readText(vkey)).trim()
}

function inWords(verdict: Verdict, keyFrom: 'given' | 'folder'): string {
  const lines: string[] = []
  if (verdict.ok) {
    const kinds = Object.entries(verdict.types).toSorted(([a], [b]) => (a < b ? -1 : 1))
    lines.push(`Verified: ${verdict.origin}, ${verdict.size} entries, root ${verdict.root}.`)
    if (kinds.length > 0) lines.push(`Entries: ${kinds.map(([type, count]) => `${count} ${type}`).join(', ')}.`)
    if (verdict.earlierSize !== undefined)
      lines.push(`It contains, unchanged, the ${verdict.earlierSize} entries of the earlier checkpoint.`)
  } else lines.push(`DOES NOT VERIFY [${verdict.fault}] at ${verdict.where}`, verdict.detail)
  if (keyFrom === 'folder')
    lines.push(
      'Note: the verifier key came from the folder itself. This checks integrity, not origin: whoever',
      'made the folder chose the key. Get the key from a source you trust and pass it with --vkey.',
    )
  return lines.join('\n')
}

async function verify(folder: string, options: { vkey?: string; earlier?: string; json?: boolean }): Promise<number> {
  const info = await stat(folder).catch(() => undefined)
  if (!info?.isDirectory()) throw new Usage(`${folder} is not a folder`)
  const source = folderSource(folder)
  const vkey = options.vkey === undefined ? await readFolderKey(source) : await givenKey(options.vkey)
  if (vkey === undefined) throw new Usage('the folder has no ledger.vkey; pass the verifier key with --vkey')
  const earlier = options.earlier === undefined ? {} : { earlier: await readText(options.earlier) }
  const verdict = await verifyLog(source, { vkey, ...earlier })
  const keyFrom = options.vkey === undefined ? 'folder' : 'given'
  console.log(options.json ? JSON.stringify({ ...verdict, keyFrom }) : inWords(verdict, keyFrom))
  return verdict.ok ? 0 : 1
}

/** @returns the exit code */
export async function run(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { vkey: { type: 'string' }, earlier: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
    })
    if (values.help) {
      console.log(HELP)
      return 0
    }
    const [folder, ...more] = positionals
    if (folder === undefined || more.length > 0) throw new Usage('name one folder')
    return await verify(folder, values)
  } catch (error) {
    console.error(`ephor-verify: ${(error as Error).message}. See ephor-verify --help.`)
    return 2
  }
}
