/** Memory of the running server: after start, under load, and after it. */
import { readFileSync } from 'node:fs'
import { startEphor } from '@ephor/testkit'
import { printTable } from './measure.ts'

const CALLS = 4000

function residentMiB(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kib) / 1024)
}

export async function benchMemory() {
  if (process.platform !== 'linux') return { skipped: 'memory is read from /proc, which this system does not have' }
  const ephor = await startEphor()
  const rows = [{ when: 'after start (server with its store and policy threads)', residentMiB: residentMiB(ephor.pid) }]
  const client = await ephor.mcp(ephor.credential)
  for (let i = 0; i < CALLS; i++) await client.callTool({ name: 'files__list_allowed_directories', arguments: {} })
  rows.push({ when: `after ${CALLS} calls`, residentMiB: residentMiB(ephor.pid) })
  await client.close()
  await new Promise((resolve) => setTimeout(resolve, 5000))
  rows.push({ when: '5 s later', residentMiB: residentMiB(ephor.pid) })
  await ephor.stop()
  printTable('Memory', rows)
  return { rows }
}
