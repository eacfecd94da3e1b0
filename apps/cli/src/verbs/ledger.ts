/** `ephor ledger`: the record of everything, as something that others can check. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import { readCheckpoint, readFolderKey, verifyLog } from '@ephor/proof'
import type { Verdict } from '@ephor/proof'
import { openLedgerOffline, outsideOf, readRunFile } from '@ephor/server'
import { connect, settingsOf } from '../connection.ts'
import type { CommonOptions } from '../connection.ts'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { downloadLedger } from '../download-ledger.ts'
import { addCheck } from '../ledger/check.ts'
import { addErase } from '../ledger/erase.ts'
import { addHold } from '../ledger/hold.ts'
import { addKeys } from '../ledger/keys.ts'
import { addRetention } from '../ledger/retention.ts'
import { addExport } from '../ledger/export.ts'
import { addSearch } from '../ledger/search.ts'
import { addSinks } from '../ledger/sinks.ts'
import { addWitnesses } from '../ledger/witnesses.ts'
import { facts, json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

type VerifyOptions = CommonOptions & { key?: string; earlier?: string }

/** From the running server, or, when none runs, from the store itself. @returns the number of entries */
async function exportTo(io: Io, options: CommonOptions, folder: string): Promise<{ size: number; files: number }> {
  try {
    return await downloadLedger(connect(io, options), folder)
  } catch (error) {
    const settings = settingsOf(io, options)
    const stored = settings.store.url !== undefined || existsSync(join(settings.home, 'store.db'))
    const nobody = error instanceof Fault && error.code === 'SERVER_UNREACHABLE'
    if (!nobody || options.url !== undefined || !stored) throw error
    const offline = await openLedgerOffline(settings)
    try {
      return await offline.ledger.exportTo(folder)
    } finally {
      await offline.close()
    }
  }
}

function source(folder: string) {
  return {
    read: (path: string) =>
      readFile(join(folder, ...path.split('/'))).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
        throw error
      }),
  }
}

type Earlier = { file: string; note: Buffer }

/**
 * The checkpoint that this ledger has to continue: one that was named, or what the installation keeps beside the store of its
 * tenant. Read before the ledger is, which may grow meanwhile.
 */
async function earlierOf(io: Io, options: VerifyOptions, isWhole: boolean): Promise<Earlier | undefined> {
  const read = async (file: string) => ({ file, note: await readFile(file) })
  if (options.earlier !== undefined) return read(resolve(io.folder, options.earlier))
  const settings = settingsOf(io, options)
  // What is kept here is no word on the ledger of a server elsewhere.
  const url = options.url ?? io.environment['EPHOR_URL']
  const isOwn = url === undefined || url === readRunFile(settings.home)?.url
  const kept = outsideOf(settings)
  return isWhole && isOwn && existsSync(kept) ? read(kept) : undefined
}

async function verifyFolder(options: VerifyOptions, folder: string, earlier: Earlier | undefined): Promise<Verdict> {
  const given = options.key === undefined ? undefined : existsSync(options.key) ? (await readFile(options.key, 'utf8')).trim() : options.key
  const vkey = given ?? (await readFolderKey(source(folder)))
  if (vkey === undefined) throw new Fault('LEDGER_INVALID', `${folder} has no verifier key, and none was given`, { where: folder })
  return verifyLog(source(folder), { vkey, ...(earlier && { earlier: earlier.note }) })
}

async function verify(io: Io, options: VerifyOptions, given: string | undefined): Promise<void> {
  const temporary = given === undefined ? mkdtempSync(join(tmpdir(), 'ephor-verify-')) : undefined
  try {
    const folder = temporary ?? resolve(io.folder, given ?? '')
    const earlier = await earlierOf(io, options, temporary !== undefined)
    if (temporary !== undefined) await exportTo(io, options, join(temporary, 'ledger'))
    const verdict = await verifyFolder(options, temporary === undefined ? folder : join(folder, 'ledger'), earlier)
    const compared = verdict.ok && earlier ? { file: earlier.file, size: readCheckpoint(earlier.note).size } : undefined
    if (options.json) json(io, { ...verdict, ...(compared && { earlier: compared }) })
    else if (verdict.ok) {
      const kinds = Object.entries(verdict.types).map(([type, count]) => `${count} ${type}`)
      line(io, `Verified: ${verdict.size} entries of ${verdict.origin}, root ${verdict.root}.`)
      line(io, `  ${plain(kinds.join(', '))}`)
      if (compared) line(io, `  It continues the ${compared.size} entries of the checkpoint in ${plain(compared.file)}.`)
      else line(io, '  It was compared with no earlier checkpoint: name one that you kept with --earlier.')
    } else line(io, `Does not verify: ${verdict.fault} at ${plain(verdict.where)}: ${plain(verdict.detail)}`)
    if (!verdict.ok) throw new ExitCode(EXIT.failed)
  } finally {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true })
  }
}

export function addLedger(program: Command, io: Io): void {
  const ledger = program.command('ledger').description('the record of everything, for others to check')

  const head = withServer(ledger.command('head').description('show the signed checkpoint over everything so far'))
  head.action(
    served(io, async ({ client }, options: CommonOptions) => {
      const now = await client.getLedgerHead()
      if (options.json) return json(io, now)
      facts(io, [
        ['origin', now.origin],
        ['entries', now.size],
        ['root', now.root],
        ['key', now.verifierKey],
      ])
      io.stdout.write(`\n${now.checkpoint}`)
    }),
  )

  addExport(ledger, io, exportTo)
  addSearch(ledger, io)

  const verifying = withServer(
    ledger
      .command('verify')
      .argument('[folder]', 'an export; this ledger as it is now unless said')
      .description('check every entry, hash and signature'),
  )
  verifying
    .option('--key <key>', 'the verifier key as you got it from a source you trust, or a file with it')
    .option('--earlier <file>', 'a checkpoint kept from before: nothing it covered may be missing or changed')
  verifying.action((folder: string | undefined, options: VerifyOptions) => verify(io, options, folder))
  examples(verifying, 'ledger verify', 'ledger verify ./evidence --key ledger.vkey --earlier last-month.checkpoint')

  const proof = withServer(
    ledger
      .command('proof')
      .argument('<entry>', 'its number, or dec_…')
      .description('print the proof that an entry is in the ledger (c2sp.org/tlog-proof)'),
  )
  proof.option('--out <file>', 'write it there')
  proof.action(
    served(io, async ({ client }, options: CommonOptions & { out?: string }, entry: string) => {
      const seq = /^\d+$/.test(entry) ? entry : String((await client.showDecision({ params: { id: entry } })).receipt.seq)
      const { proof: text } = await client.getLedgerProof({ params: { seq } })
      if (options.out !== undefined) {
        mkdirSync(resolve(io.folder, options.out, '..'), { recursive: true })
        writeFileSync(resolve(io.folder, options.out), text)
      } else if (options.json) json(io, { proof: text })
      else io.stdout.write(text)
    }),
  )
  examples(proof, 'ledger proof dec_01kf… --out decision.proof')

  addCheck(ledger, io)
  addSinks(ledger, io)
  addErase(ledger, io)
  addKeys(ledger, io)
  addHold(ledger, io)
  addRetention(ledger, io)
  addWitnesses(ledger, io)
}
