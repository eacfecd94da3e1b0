/** `ephor ledger verify` without a server: what it holds the ledger against is what this tenant keeps beside the store. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadSettings, openLedgerOffline } from '@ephor/server'
import { expect, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { ephorIn } from '../run.fixture.ts'

const entry = (id: string) => ({ type: 'test.happened', id, body: {} })

async function grow(folder: string, environment: Record<string, string>, ...ids: string[]): Promise<void> {
  const { settings } = loadSettings({ folder, environment, flags: {} })
  const opened = await openLedgerOffline(settings)
  for (const id of ids) await opened.ledger.append({ changes: [], entries: [entry(id)] })
  await opened.close()
}

test.for(['default', 'acme'])('the ledger of the tenant %s has to continue its own checkpoint, and the answer names it', async (tenant) => {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-verify-cli-'))
  // Nobody answers there.
  const environment = { EPHOR_TENANT: tenant, EPHOR_PORT: '1' }
  const ephor = ephorIn(folder, environment)
  await grow(folder, environment, 'one', 'two')
  const kept = join(folder, '.ephor', tenant === 'default' ? 'checkpoint' : 'checkpoint-acme')
  const before = readFileSync(kept)
  await grow(folder, environment, 'three')
  expect(await ephor('ledger', 'verify')).toMatchObject({ code: 0, out: expect.stringContaining(`3 entries of the checkpoint in ${kept}`) })
  expect(JSON.parse((await ephor('ledger', 'verify', '--json')).out)).toMatchObject({ ok: true, size: 3, earlier: { file: kept, size: 3 } })

  const old = join(folder, 'old')
  writeFileSync(old, before)
  expect((await ephor('ledger', 'verify', '--earlier', 'old')).out).toContain(`2 entries of the checkpoint in ${old}`)
  const evidence = join(folder, 'evidence')
  expect((await ephor('ledger', 'export', evidence)).code).toBe(0)
  expect((await ephor('ledger', 'verify', evidence)).out).toContain('no earlier checkpoint')
  writeFileSync(old, 'no checkpoint')
  expect(await ephor('ledger', 'verify', '--earlier', 'old')).toMatchObject({
    code: EXIT.failed,
    out: expect.stringContaining('EARLIER_INVALID'),
  })
})
