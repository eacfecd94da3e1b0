/** Reads what an auditor was given: folders, keys, receipts, entries; what can't be read is wrong use, not a verdict. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalize, leafHash, utf8 } from '../src/index.ts'
import type { Hash, LogSource, Receipt } from '../src/index.ts'

/** The command was not used as it should be: exit code 2. */
export class Usage extends Error {}

export function folderSource(folder: string): LogSource {
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

export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Usage(`${file} can't be read: ${(error as Error).message}`)
  }
}

/** A key is `name+id+base64`; what does not look like one is the name of a file that holds one. */
export async function givenKey(vkey: string): Promise<string> {
  return /^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/.test(vkey.trim()) ? vkey.trim() : (await readText(vkey)).trim()
}

/** The tree sizes that the folder has RFC 3161 time stamps for. */
export async function timestampsIn(folder: string): Promise<number[]> {
  const names = await readdir(join(folder, 'timestamps')).catch(() => [])
  return names
    .flatMap((name) => /^(0|[1-9][0-9]*)\.tsr$/.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A receipt as it is, or inside what it came in: an answer of the HTTP API, the result of an MCP tool. */
export function receiptIn(text: string): Receipt | undefined {
  const value = parse(text)
  const result = isRecord(value) && isRecord(value['result']) ? value['result'] : value
  if (!isRecord(result)) return undefined
  const meta = isRecord(result['_meta']) ? result['_meta']['dev.ephor/receipt'] : undefined
  return [meta, result['receipt'], result].find(
    (one): one is Receipt =>
      isRecord(one) && typeof one['origin'] === 'string' && typeof one['seq'] === 'number' && typeof one['leafHash'] === 'string',
  )
}

/** The leaf hash of an entry's body: JSON in any layout has one canonical form, anything else counts byte for byte. */
export function leafOf(text: string): Hash {
  const value = parse(text)
  return leafHash(utf8(value === undefined ? text : canonicalize(value)))
}

export type Kind = 'log' | 'receipt' | 'entry' | 'evidence'

/** What a file is, by its content. A proof asks for the entry that it is about. */
export function kindOf(text: string): Kind | undefined {
  if (text.startsWith('c2sp.org/tlog-proof@')) return 'entry'
  const value = parse(text)
  if (isRecord(value) && typeof value['payloadType'] === 'string') return 'evidence'
  return receiptIn(text) ? 'receipt' : undefined
}
