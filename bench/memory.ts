/** Memory of the running server: after start, under load, and after it. What it holds is told apart from garbage that lies about. */
import { readFileSync } from 'node:fs'
import { startEphor } from '@ephor/testkit'
import type { EphorProcess } from '@ephor/testkit'
import { printTable } from './measure.ts'

const CALLS = [1000, 4000]
const MIB = 2 ** 20

function residentMiB(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kib) / 1024)
}

/** Collects garbage, so it comes after the resident size was read. */
async function heapMiB(ephor: EphorProcess): Promise<number> {
  const seen = ephor.output().length
  process.kill(ephor.pid, 'SIGUSR2')
  for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const bytes = /heap in use: (\d+)/.exec(ephor.output().slice(seen))?.[1]
    if (bytes !== undefined) return Math.round((Number(bytes) / MIB) * 10) / 10
  }
  throw new Error('the server did not say how much it holds')
}

export async function benchMemory() {
  if (process.platform !== 'linux') return { skipped: 'memory is read from /proc, which this system does not have' }
  const ephor = await startEphor({ node: ['--expose-gc', '--import', new URL('report-heap.ts', import.meta.url).href] })
  const look = async (when: string) => ({ when, residentMiB: residentMiB(ephor.pid), heapInUseMiB: await heapMiB(ephor) })
  const rows = [await look('after start (server with its threads)')]
  const client = await ephor.mcp(ephor.credential)
  let made = 0
  for (const calls of CALLS) {
    for (; made < calls; made++) await client.callTool({ name: 'files__list_allowed_directories', arguments: {} })
    rows.push(await look(`after ${calls} calls`))
  }
  await client.close()
  await new Promise((resolve) => setTimeout(resolve, 5000))
  rows.push(await look('5 s later'))
  await ephor.stop()
  printTable('Memory', rows)
  return { rows }
}
