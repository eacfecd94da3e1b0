/** The command `ephor-verify`: says whether an exported ledger, a receipt, an entry or an evidence bundle verifies, without any server. */
import { stat } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import {
  parseDsse,
  readDssePayload,
  readFolderKey,
  verifyEntry,
  verifyEvidence,
  verifyLog,
  verifyReceiptProof,
  fromUtf8,
} from '../src/index.ts'
import type { Refusal } from '../src/index.ts'
import { folderSource, givenKey, kindOf, leafOf, readText, receiptIn, timestampsIn, Usage } from './files.ts'
import type { Kind } from './files.ts'
import { HELP } from './help.ts'
import { showProgress } from './progress.ts'
import { entryWords, evidenceWords, logWords, refusalWords } from './words.ts'

const KINDS: readonly string[] = ['log', 'receipt', 'entry', 'evidence']
const OPTIONS = {
  vkey: { type: 'string' },
  earlier: { type: 'string' },
  proof: { type: 'string' },
  entry: { type: 'string' },
  witness: { type: 'string', multiple: true },
  require: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

type Values = { vkey?: string; earlier?: string; proof?: string; entry?: string; witness?: string[]; require?: string; json?: boolean }
type Answer = { verdict: { ok: true } | Refusal; words: string[]; more?: object }
/** Which options each kind takes, beside those for all. */
const TAKES: Record<Kind, readonly string[]> = { log: ['earlier'], receipt: ['proof'], entry: ['entry'], evidence: [] }

async function trusted({ witness = [], require }: Values): Promise<{ witnesses: string[]; require?: number }> {
  const witnesses = await Promise.all(witness.map(givenKey))
  if (require === undefined) return { witnesses }
  if (!/^[0-9]{1,4}$/.test(require) || Number(require) > witnesses.length)
    throw new Usage(`--require ${require}: name as many witnesses with --witness as you require, or more`)
  return { witnesses, require: Number(require) }
}

async function needKey({ vkey }: Values): Promise<string> {
  if (vkey === undefined) throw new Usage('pass the log’s verifier key with --vkey: nothing in these files could say whose log it is')
  return givenKey(vkey)
}

async function log(folder: string, values: Values): Promise<Answer> {
  const source = folderSource(folder)
  const vkey = values.vkey === undefined ? await readFolderKey(source) : await givenKey(values.vkey)
  if (vkey === undefined) throw new Usage('the folder has no ledger.vkey; pass the verifier key with --vkey')
  const witnesses = await trusted(values)
  const earlier = values.earlier === undefined ? {} : { earlier: await readText(values.earlier) }
  const progress = showProgress('entries')
  const verdict = await verifyLog(source, { vkey, ...witnesses, ...earlier, progress: progress.at }).finally(progress.end)
  const keyFrom = values.vkey === undefined ? 'folder' : 'given'
  const timestamps = await timestampsIn(folder)
  const notes = { keyFrom, earlier: 'earlier' in earlier, witnesses: witnesses.witnesses.length > 0, timestamps } as const
  return { verdict, words: verdict.ok ? logWords(verdict, notes) : refusalWords(verdict), more: { keyFrom, timestamps } }
}

async function receipt(text: string, values: Values): Promise<Answer> {
  const given = receiptIn(text)
  if (!given) throw new Usage('that file is not a receipt: it has no origin, seq and leafHash')
  if (values.proof === undefined)
    throw new Usage('a receipt is a promise; pass the proof that it was kept with --proof (ephor ledger proof SEQ)')
  const witnesses = await trusted(values)
  const verdict = await verifyReceiptProof(given, await readText(values.proof), { vkey: await needKey(values), ...witnesses })
  const notes = { isReceipt: true, witnesses: witnesses.witnesses.length > 0 }
  return { verdict, words: verdict.ok ? entryWords(verdict, notes) : refusalWords(verdict) }
}

async function entry(text: string, values: Values): Promise<Answer> {
  if (values.entry === undefined) throw new Usage('pass the entry that the proof is about with --entry')
  const witnesses = await trusted(values)
  const verdict = await verifyEntry(text, leafOf(await readText(values.entry)), { vkey: await needKey(values), ...witnesses })
  const notes = { isReceipt: false, witnesses: witnesses.witnesses.length > 0 }
  return { verdict, words: verdict.ok ? entryWords(verdict, notes) : refusalWords(verdict) }
}

/** The newest key that a bundle names for itself: as good as a folder's own key. */
function keyInBundle(text: string): string {
  try {
    const { predicate } = JSON.parse(fromUtf8(readDssePayload(parseDsse(text)))) as { predicate: { keys: string[] } }
    const key = predicate.keys.at(-1)
    if (typeof key === 'string') return key
  } catch {
    // Said below.
  }
  throw new Usage('the bundle names no key that can be read; pass the verifier key with --vkey')
}

async function evidence(text: string, values: Values, file: string): Promise<Answer> {
  const vkey = values.vkey === undefined ? keyInBundle(text) : await givenKey(values.vkey)
  const witnesses = await trusted(values)
  const progress = showProgress('entries')
  const verdict = await verifyEvidence(text, { vkey, ...witnesses, progress: progress.at }).finally(progress.end)
  const keyFrom = values.vkey === undefined ? 'bundle' : 'given'
  const notes = { keyFrom, witnesses: witnesses.witnesses.length > 0, file } as const
  return { verdict, words: verdict.ok ? evidenceWords(verdict, notes) : refusalWords(verdict), more: { keyFrom } }
}

async function verify(target: string, kind: Kind | undefined, values: Values): Promise<Answer & { kind: Kind }> {
  const info = await stat(target).catch(() => undefined)
  if (!info) throw new Usage(`${target} is not there`)
  const text = info.isDirectory() ? undefined : await readText(target)
  const found = kind ?? (text === undefined ? 'log' : kindOf(text))
  if (found === undefined) throw new Usage(`${target} is not a folder, a receipt, a proof or an evidence bundle`)
  if ((found === 'log') !== (text === undefined)) throw new Usage(`${target} is ${text === undefined ? 'a folder' : 'a file'}`)
  for (const name of Object.values(TAKES).flat())
    if (name in values && !TAKES[found].includes(name))
      throw new Usage(`--${name} has no meaning for ${found === 'entry' ? 'an' : 'a'} ${found}`)
  if (text === undefined) return { kind: found, ...(await log(target, values)) }
  return { kind: found, ...(await { receipt, entry, evidence }[found as 'evidence'](text, values, target)) }
}

/** @returns the exit code */
export async function run(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: OPTIONS })
    if (values.help) {
      console.log(HELP)
      return 0
    }
    const named = positionals.length === 2 && KINDS.includes(positionals[0] as string) ? (positionals.shift() as Kind) : undefined
    const [target, ...more] = positionals
    if (target === undefined || more.length > 0) throw new Usage('name one folder or file')
    const { kind, verdict, words, more: facts } = await verify(target, named, values)
    console.log(values.json ? JSON.stringify({ kind, ...verdict, ...facts }) : words.join('\n'))
    return verdict.ok ? 0 : 1
  } catch (error) {
    console.error(`ephor-verify: ${(error as Error).message}. See ephor-verify --help.`)
    return 2
  }
}
