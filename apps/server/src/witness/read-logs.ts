/** Which logs a witness watches: verifier keys on the command line, or a file that also says origins that differ from their keys' names. */
import { readFileSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import { parseVerifierKey, ProofError } from '@ephor/proof'
import type { VerifierKey } from '@ephor/proof'
import { parse } from 'yaml'
import { z } from 'zod'
import type { WitnessedLog } from './add-checkpoint.ts'

const File = z.strictObject({
  logs: z
    .array(
      z.strictObject({
        origin: z.string().min(1).max(255).describe('The first line of the log’s checkpoints.'),
        keys: z.array(z.string()).min(1).max(10).describe('Verifier keys; several while a log changes its key.'),
      }),
    )
    .min(1),
})

function keyOf(text: string, where: string): VerifierKey {
  try {
    return parseVerifierKey(text)
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    throw new Fault('SETTINGS_INVALID', `${where}: "${text.slice(0, 100)}" is not a verifier key: ${error.message}`, { cause: error })
  }
}

function readFile(file: string): { origin: string; keys: string[] }[] {
  let value: unknown
  try {
    value = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Fault('SETTINGS_INVALID', `${file} can't be read: ${(error as Error).message}`, { cause: error })
  }
  const parsed = File.safeParse(value)
  if (parsed.success) return parsed.data.logs
  const [issue] = parsed.error.issues
  throw new Fault('SETTINGS_INVALID', `${file}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is not valid'}`)
}

/**
 * @param keys verifier keys of logs whose origin is the key's name
 * @param file YAML: `logs: [{origin, keys}]`
 * @throws Fault SETTINGS_INVALID
 */
export function readLogs(keys: readonly string[], file: string | undefined): Map<string, WitnessedLog> {
  const logs = new Map<string, WitnessedLog>()
  const add = (origin: string, key: VerifierKey) => logs.set(origin, { origin, keys: [...(logs.get(origin)?.keys ?? []), key] })
  for (const text of keys) {
    const key = keyOf(text, '--log')
    add(key.name, key)
  }
  for (const log of file === undefined ? [] : readFile(file)) for (const text of log.keys) add(log.origin, keyOf(text, file ?? ''))
  if (logs.size === 0) throw new Fault('SETTINGS_INVALID', 'a witness needs logs to watch: --log <verifier key>, or --logs <file>')
  return logs
}
