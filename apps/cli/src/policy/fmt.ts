/** `ephor policy fmt`: policy files as the official engine writes them. Needs no server, and never changes what they say. */
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import { formatText } from '@ephor/engine/policy'
import { settingsOf } from '../connection.ts'
import type { CommonOptions } from '../connection.ts'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, withCommon } from '../verb.ts'

type Options = CommonOptions & { check?: boolean }
type Findings = Extract<Awaited<ReturnType<typeof formatText>>, { findings: unknown }>['findings']
type Result = { file: string; changed: boolean; findings: Findings }

function filesAt(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path]
    const names = readdirSync(path).filter((name) => name.endsWith('.cedar') && !name.startsWith('.'))
    return names.toSorted().map((name) => join(path, name))
  } catch (error) {
    throw new Fault('NOT_FOUND', `it can't be read: ${(error as Error).message}`, { where: path })
  }
}

/** Beside it first, then in its place: whoever reads the folder meanwhile reads the old text or the new one. */
function replaceFile(file: string, text: string): void {
  const next = join(dirname(file), `.${basename(file)}.${process.pid}.tmp`)
  try {
    writeFileSync(next, text, { flag: 'wx', mode: statSync(file).mode })
    renameSync(next, file)
  } catch (error) {
    rmSync(next, { force: true })
    throw new Fault('REQUEST_INVALID', `it can't be written: ${(error as Error).message}`, { where: file })
  }
}

async function format(file: string, check: boolean): Promise<Result> {
  const text = readFileSync(file, 'utf8')
  const formatted = await formatText(basename(file), text)
  if ('findings' in formatted) return { file, changed: false, findings: formatted.findings }
  const changed = formatted.text !== text
  if (changed && !check) replaceFile(file, formatted.text)
  return { file, changed, findings: [] }
}

export function addFmt(policy: Command, io: Io): void {
  const verb = withCommon(
    policy
      .command('fmt')
      .argument('[path]', 'a file or a folder; the policy folder unless said')
      .description('write policy files in the official form, comments kept; needs no server')
      .option('--check', 'change nothing; fail when something would change'),
  )
  verb.action(async (given: string | undefined, options: Options) => {
    const path = given === undefined ? settingsOf(io, options).policyFolder : resolve(io.folder, given)
    const check = options.check === true
    const results: Result[] = []
    for (const file of filesAt(path)) results.push(await format(file, check))
    const [changed, broken] = [results.filter((one) => one.changed), results.filter((one) => one.findings.length > 0)]
    if (options.json) json(io, { ok: broken.length === 0 && !(check && changed.length > 0), results })
    else {
      for (const { file, findings } of broken)
        for (const { line: at, column, code, message } of findings)
          line(io, `${plain(file)}:${at}:${column}: error ${code}: ${plain(message)}`)
      for (const { file } of changed) line(io, `${check ? 'Not formatted' : 'Formatted'}: ${plain(file)}`)
      line(io, `${results.length - changed.length - broken.length} of ${results.length} files are as they should be.`)
    }
    if (broken.length > 0 || (check && changed.length > 0)) throw new ExitCode(EXIT.failed)
  })
  examples(verb, 'policy fmt', 'policy fmt ./policies --check')
}
