/** `ephor ledger export`: a copy that verifies by itself, or entries in a format of others. */
import { createWriteStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Option } from 'commander'
import type { Command } from 'commander'
import { EXPORT_FORMATS, Fault, ledgerSearchOperations } from '@ephor/contract'
import { reach, toFault } from '@ephor/sdk'
import { openLedgerOffline } from '@ephor/server'
import { connect, settingsOf } from '../connection.ts'
import type { CommonOptions, Connection } from '../connection.ts'
import { json, line } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, withServer } from '../verb.ts'
import { exportToBucket } from './export-to-bucket.ts'
import { filtersOf, withFilters } from './filters.ts'
import type { FilterOptions } from './filters.ts'

type Format = (typeof EXPORT_FORMATS)[number]
type ExportOptions = CommonOptions & FilterOptions & { format?: Format; out?: string; after?: string }

/** Copies the whole ledger into a folder. */
export type CopyLedger = (io: Io, options: CommonOptions, folder: string) => Promise<{ size: number; files: number }>

/** From the running server, as the person whom the credential names. */
async function download(
  { url, options }: Connection,
  query: Record<string, string | string[]>,
): Promise<AsyncIterable<Uint8Array | string>> {
  const at = new URL(url.replace(/\/+$/, '') + ledgerSearchOperations.exportLedger.path)
  for (const [name, values] of Object.entries(query)) for (const value of [values].flat()) at.searchParams.append(name, value)
  const bearer = await options.bearer?.()
  const response = await reach(options, at, { headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` } })
  if (!response.ok || !response.body) throw await toFault(response)
  return response.body
}

/** The file appears when it is whole. */
async function save(io: Io, chunks: AsyncIterable<Uint8Array | string>, out: string | undefined): Promise<void> {
  if (out === undefined) {
    const decoder = new TextDecoder()
    for await (const chunk of chunks) io.stdout.write(typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))
    return
  }
  const file = resolve(io.folder, out)
  const part = `${file}.part`
  mkdirSync(dirname(file), { recursive: true })
  try {
    await pipeline(Readable.from(chunks), createWriteStream(part, { mode: 0o600 }))
    renameSync(part, file)
  } catch (error) {
    rmSync(part, { force: true })
    throw error
  }
}

async function exportAs(io: Io, options: ExportOptions, format: Format): Promise<void> {
  const { after, out } = options
  const filters = filtersOf(options)
  try {
    const query = { format, ...filters, ...(after !== undefined && { after }) }
    await save(io, await download(connect(io, options), query), out)
  } catch (error) {
    const settings = settingsOf(io, options)
    const nobody = error instanceof Fault && error.code === 'SERVER_UNREACHABLE'
    const stored = settings.store.url !== undefined || existsSync(join(settings.home, 'store.db'))
    if (!nobody || options.url !== undefined || !stored) throw error
    const offline = await openLedgerOffline(settings)
    try {
      const { chunks } = await offline.exports.start({ format, filters, after: after === undefined ? undefined : Number(after) })
      await save(io, chunks, out)
    } finally {
      await offline.close()
    }
  }
  if (out === undefined) return
  if (options.json) json(io, { file: resolve(io.folder, out), format })
  else line(io, `Exported to ${out}.${format === 'bundle' ? ` Check it anywhere: npx ephor-verify ${out} --vkey <verifier key>` : ''}`)
}

export function addExport(ledger: Command, io: Io, copy: CopyLedger): void {
  const exporting = withServer(
    ledger
      .command('export')
      .argument('[folder]', 'where the copy goes, or is brought up to date; s3://bucket/folder for a bucket')
      .description('write a copy that verifies by itself, or entries in a format of others; runs without a server too'),
  )
  exporting
    .addOption(new Option('--format <format>', 'instead of a folder: entries in this format').choices(EXPORT_FORMATS))
    .option('--out <file>', 'where to, with --format; the standard output unless said')
    .option('--after <entry>', 'with --format: only entries behind this one, by its number')
  withFilters(exporting)
  exporting.action(async (folder: string | undefined, options: ExportOptions) => {
    const { format, out, after } = options
    if (format !== undefined) {
      if (folder !== undefined) throw new Fault('REQUEST_INVALID', 'with --format, say where to with --out')
      if (after !== undefined && !/^(?:-1|\d{1,15})$/.test(after)) throw new Fault('REQUEST_INVALID', '--after is the number of an entry')
      return exportAs(io, options, format)
    }
    if (folder === undefined) throw new Fault('REQUEST_INVALID', 'name a folder, or a --format')
    if (out !== undefined || after !== undefined || Object.keys(filtersOf(options)).length > 0)
      throw new Fault('REQUEST_INVALID', 'a folder holds the whole ledger; filters need a --format')
    if (folder.startsWith('s3:')) {
      const done = await exportToBucket(io, options, folder, (scratch) => copy(io, options, scratch))
      if (options.json) json(io, { bucket: folder, ...done })
      else line(io, `${folder} holds ${done.size} entries now; ${done.written} objects were written.`)
      return
    }
    const target = resolve(io.folder, folder)
    const done = await copy(io, options, target)
    if (options.json) return json(io, { folder: target, ...done })
    line(io, `Exported ${done.size} entries to ${target}. Check it anywhere: ephor ledger verify ${folder}, or npx ephor-verify ${folder}`)
  })
  examples(
    exporting,
    'ledger export ./evidence',
    'ledger export s3://evidence/ephor',
    'ledger export --format ocsf --since 24h --out yesterday.ocsf.jsonl',
    'ledger export --format bundle --since 2026-11-01 --until 2026-12-01 --out november.dsse.json',
    'ledger export --format csv --effect deny --out refused.csv',
  )
}
