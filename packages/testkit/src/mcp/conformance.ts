/** Runs the official MCP conformance suite against an address and says what failed. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export type Revision = '2025-11-25' | '2026-07-28'

export type ConformanceReport = { passed: number; failed: number; /** Required scenarios with a failing check. */ failing: string[] }

/**
 * Every server scenario that a revision requires, checks counted over those alone. Optional ones (extensions, or added after the
 * revision) also run but do not count.
 */
export async function runConformance(url: string, revision: Revision, timeoutMs = 120_000): Promise<ConformanceReport> {
  const script = join(dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')), 'dist/index.js')
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'))
  // The suite ends with an error code when something fails: what it prints says what.
  const output = await new Promise<string>((resolve) => {
    const args = [script, 'server', '--url', url, '--requirements', revision]
    execFile(process.execPath, args, { cwd: folder, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 }, (_error, stdout) => resolve(stdout))
  })
  await rm(folder, { recursive: true, force: true })
  const optional = new Set([...output.matchAll(/^ {2}[✓✗] (\S+) \(/gmu)].map(([, name]) => name))
  const report: ConformanceReport = { passed: 0, failed: 0, failing: [] }
  for (const [, name = '', passed, failed] of output.matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed/gmu)) {
    if (optional.has(name)) continue
    report.passed += Number(passed)
    report.failed += Number(failed)
    if (failed !== '0') report.failing.push(name)
  }
  return report
}
