/** A data folder with a ledger in it and no server, for the tests of backups. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeLog } from '@ephor/engine/kernel'
import { openFoundations } from '../compose.ts'
import { loadSettings } from '../settings/load-settings.ts'
import type { EffectiveSettings } from '../settings/load-settings.ts'

export const ANNA = 'agt_0000000000000000000000000a'
export const OPERATOR = 'per_00000000000000000000000000'
export const log = makeLog('silent')

export const newFolder = () => mkdtempSync(join(tmpdir(), 'ephor-backup-'))

export function settingsOf(folder: string): EffectiveSettings {
  return loadSettings({ folder, environment: {}, flags: {} }).settings
}

/** Opens it for as long as `work` takes. */
export async function within<T>(
  settings: EffectiveSettings,
  work: (opened: Awaited<ReturnType<typeof openFoundations>>) => Promise<T>,
): Promise<T> {
  const opened = await openFoundations(settings, log)
  try {
    return await work(opened)
  } finally {
    opened.erasure.close()
    await opened.feed.ledger.close()
    await opened.store.close()
  }
}

/** Appends entries of `ANNA` with these inputs. @returns their places */
export function act(settings: EffectiveSettings, ...inputs: string[]): Promise<number[]> {
  return within(settings, async ({ feed: { ledger } }) => {
    const entries = inputs.map((input) => ({ type: 'note', body: {}, payloads: [{ name: 'input', subject: ANNA, value: input }] }))
    return (await ledger.append({ changes: [], entries })).map(({ seq }) => seq)
  })
}

/** What its inputs say now; undefined for what is erased. */
export function inputs(settings: EffectiveSettings): Promise<unknown[]> {
  return within(settings, async ({ feed: { ledger } }) => {
    const notes = (await ledger.list({ limit: 100_000 })).filter(({ body }) => body['type'] === 'note')
    return Promise.all(notes.map(({ seq }) => ledger.payload(seq, 'input')))
  })
}

export function makeInstallation(): EffectiveSettings {
  const settings = settingsOf(newFolder())
  mkdirSync(join(settings.home, 'policies'), { recursive: true })
  writeFileSync(join(settings.home, 'policies', 'mine.cedar'), '// mine\n')
  return settings
}
