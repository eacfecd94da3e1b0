/** A full disk, on a real and small file system: calls are refused and nothing runs; with space again they work without a restart, and nothing acknowledged is lost. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callTool } from './call-tool.ts'
import type { Answer } from './call-tool.ts'
import { readExport } from './read-export.ts'

const DISK = '24m'
const folder = mkdtempSync(join(tmpdir(), 'ephor-full-'))
const disk = join(folder, 'disk')
const file = join(folder, 'lines')
const ballast = join(disk, 'ballast')

let mounted = false
let ephor: EphorProcess
let agent: Client
const told: (Answer & { line: string })[] = []

function mount(): boolean {
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', disk], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

/** Takes every last byte. */
function fill(): void {
  const open = openSync(ballast, 'a')
  for (let size = 1 << 20; size >= 1;)
    try {
      writeSync(open, Buffer.alloc(size))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      size >>= 1
    }
  closeSync(open)
}

beforeAll(async () => {
  mounted = mount()
  if (!mounted) return
  writeFileSync(file, '')
  writeFileSync(join(folder, 'kill'), '')
  const home = join(disk, 'home')
  mkdirSync(home)
  ephor = await startEphor({ home, environment: { EPHOR_CALLS_TIMEOUT: '5s' } })
  const args = [join(import.meta.dirname, 'append-server.ts'), file, join(folder, 'kill')]
  const transport = { type: 'stdio' as const, command: process.execPath, args, env: {} }
  await ephor.addServer({ name: 'append', transport, folders: [] }, { append: { kind: 'read' } })
  agent = await ephor.mcp(ephor.credential)
}, 90_000)
afterAll(async () => {
  if (mounted) rmSync(ballast, { force: true })
  await ephor?.stop()
  if (mounted) execFileSync('umount', [disk])
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

async function append(line: string): Promise<Answer> {
  const answer = await callTool(agent, 'append__append', { line })
  told.push({ ...answer, line })
  return answer
}
const lines = () => readFileSync(file, 'utf8').split('\n').filter(Boolean)
const stopped = ({ code, receipt }: Answer) => code === 'STORE_UNAVAILABLE' && receipt === undefined

test('no record, no action; then space, and all is as before', { timeout: 120_000 }, async ({ skip }) => {
  if (!mounted) skip('needs the right to mount a small file system (root); packages/engine/src/ledger tests a full disk without')
  for (let i = 0; i < 5; i++) expect(await append(`before ${i}`)).toMatchObject({ ok: true })

  fill()
  // What the store had already set aside on the disk may still serve a few calls.
  let refused = 0
  for (let i = 0; i < 400 && refused < 10; i++) if (stopped(await append(`full ${i} ${'x'.repeat(20_000)}`))) refused++
  expect(refused).toBe(10)
  expect((await ephor.operator.listDecisions()).items.length, 'what needs no space still works').toBeGreaterThanOrEqual(5)

  const ran = lines()
  for (const answer of told) {
    // A call whose outcome could not be recorded did run, and says that its outcome is unknown, with the receipt of its decision.
    const mayHaveRun = !stopped(answer)
    expect(ran.includes(answer.line), answer.line.slice(0, 20)).toBe(mayHaveRun)
    expect(answer.receipt !== undefined).toBe(mayHaveRun)
  }

  rmSync(ballast)
  await expect.poll(async () => (await append(`after ${told.length}`)).ok, { timeout: 15_000 }).toBe(true)
  for (let i = 0; i < 5; i++) expect(await append(`later ${i}`)).toMatchObject({ ok: true })

  const { entries } = await readExport(ephor.home, join(folder, 'export'))
  const outcomes = new Map(entries.flatMap(({ body }) => (body.type === 'outcome' ? [[body['decision'], body['status']]] : [])))
  const acknowledged = told.flatMap(({ ok, receipt }) => (receipt === undefined ? [] : [{ ok, receipt }]))
  expect(acknowledged.length).toBeGreaterThanOrEqual(11)
  for (const { ok, receipt } of acknowledged) {
    expect(entries[receipt.seq]).toMatchObject({ leafHash: receipt.leafHash, body: { id: receipt.decision, effect: 'permit' } })
    expect(outcomes.get(receipt.decision)).toBe(ok ? 'succeeded' : undefined)
  }
  // Nothing is in the record that nobody was told of, and nothing ran that is not.
  const permitted = entries.filter(({ body }) => body.type === 'decision' && body['effect'] === 'permit')
  expect(permitted).toHaveLength(acknowledged.length)
  expect(lines()).toHaveLength(acknowledged.length)
})

test('it can be stopped while the disk is full, and the next start verifies what it finds', { timeout: 90_000 }, async ({ skip }) => {
  if (!mounted) skip('needs the right to mount a small file system (root)')
  fill()
  await append(`last ${'x'.repeat(20_000)}`)
  process.kill(ephor.pid, 'SIGTERM')
  expect(await ephor.exited).toEqual(expect.any(Number))
  rmSync(ballast)
  ephor = await startEphor({ home: ephor.home })
  const { entries } = await readExport(ephor.home, join(folder, 'export-again'))
  for (const { receipt } of told.filter((answer) => answer.receipt !== undefined))
    expect(entries[receipt?.seq ?? -1]).toMatchObject({ leafHash: receipt?.leafHash })
})
