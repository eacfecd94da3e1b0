/** The receipts that agents get through the gateway verify offline, each with a proof, when the server is long gone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Receipt } from '@ephor/proof'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli, runVerifier } from './programs.ts'

type Meta = { 'dev.ephor/receipt': Receipt; 'dev.ephor/fault'?: { code: string } }

const folder = mkdtempSync(join(tmpdir(), 'ephor-receipts-'))
const file = (name: string) => join(folder, name)
let ephor: EphorProcess

beforeAll(async () => {
  ephor = await startEphor()
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

test('what ran and what was refused have receipts, and the log keeps both', { timeout: 60_000 }, async () => {
  const agent = await ephor.mcp((await ephor.addAgent('careful')).credential)
  const seqs: Record<string, number> = {}
  for (const [name, path] of Object.entries({ permitted: join(ephor.home, 'scratch', 'welcome.txt'), refused: '/etc/passwd' })) {
    const result = await agent.callTool({ name: 'files__read_text_file', arguments: { path } })
    const { 'dev.ephor/receipt': receipt, 'dev.ephor/fault': fault } = result._meta as Meta
    expect([name, fault === undefined]).toEqual([name, name === 'permitted'])
    seqs[name] = receipt.seq
    // As it came: the receipt is somewhere in it.
    writeFileSync(file(`${name}.json`), JSON.stringify(result))
    const proof = await runCli(ephor.home, 'ledger', 'proof', String(receipt.seq), '--out', file(`${name}.tlog-proof`))
    expect(proof).toMatchObject({ code: 0, err: '' })
  }
  const { verifierKey } = await ephor.operator.getLedgerHead()
  writeFileSync(file('ledger.vkey'), `${verifierKey}\n`)
  await ephor.stop()

  for (const [name, seq] of Object.entries(seqs)) {
    const { code, out } = await runVerifier(file(`${name}.json`), '--proof', file(`${name}.tlog-proof`), '--vkey', file('ledger.vkey'))
    expect([code, out]).toEqual([0, expect.stringContaining(`Verified: entry ${seq} of`)])
  }
})

test('the receipt of one call is not kept by the proof of another', { timeout: 30_000 }, async () => {
  const { code, out } = await runVerifier(file('refused.json'), '--proof', file('permitted.tlog-proof'), '--vkey', file('ledger.vkey'))
  expect([code, out]).toEqual([1, expect.stringContaining('DOES NOT VERIFY [PROOF_INVALID]')])
})
