/** Gossip: a checkpoint of this ledger that somebody else saw, in a file or at an address, held against the ledger again and again. */
import { readFile } from 'node:fs/promises'
import { Fault } from '@ephor/contract'
import type { Logger } from '@ephor/engine/kernel'
import type { Forks } from './types.ts'

const EVERY_MS = 60_000
const PATIENCE_MS = 10_000
const MAX_BYTES = 64 * 1024

export type Gossip = {
  /** Holds what is there now against the ledger. Never throws: what can't be read is a warning. */
  check(): Promise<void>
  /** Why the last look was in vain. */
  failure(): string | undefined
  close(): void
}

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS), redirect: 'error' })
  if (!response.ok) throw new Error(`it answers with status ${response.status}`)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MAX_BYTES) throw new Error('it is too long for a checkpoint')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const LOCAL = new Set(['127.0.0.1', '[::1]', 'localhost'])

/** @throws Fault SETTINGS_INVALID for an address that anybody on the way could answer for */
function checkSource(source: string): void {
  if (!/^http:/i.test(source) || LOCAL.has(new URL(source).hostname)) return
  throw new Fault('SETTINGS_INVALID', `the setting "ledger.gossip" must be a file or an https address, not ${source}`)
}

/**
 * @param source a path or an https address; an http address of this machine is fine
 * @throws Fault SETTINGS_INVALID
 */
export function followGossip({
  source,
  forks,
  log,
  everyMs = EVERY_MS,
}: {
  source: string
  forks: Forks
  log: Logger
  everyMs?: number
}): Gossip {
  checkSource(source)
  let failure: string | undefined
  let looking: Promise<void> | undefined

  async function look(): Promise<void> {
    try {
      const note = /^https?:/i.test(source) ? await fetchText(source) : await readFile(source, 'utf8')
      const compared = await forks.compare(note, 'gossip')
      failure = compared.kind === 'foreign' ? `it is no checkpoint of this ledger: ${compared.detail}` : undefined
    } catch (error) {
      failure = (error as Error).message
    }
    if (failure !== undefined) log.warn({ source, failure }, 'the checkpoint that others saw can’t be compared; it is tried again')
  }
  const check = () => (looking ??= look().finally(() => (looking = undefined)))
  const timer = setInterval(() => void check(), everyMs).unref()
  return { check, failure: () => failure, close: () => clearInterval(timer) }
}
