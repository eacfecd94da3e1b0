/** The server that everything else is measured against passes the official suite by itself. */
import { expect, onTestFinished, test } from 'vitest'
import { runConformance } from './conformance.ts'
import { httpServer } from './start-server.ts'

test.each([
  ['2025-11-25', 70],
  ['2026-07-28', 120],
] as const)(
  'the conformant server passes every required scenario of %s',
  async (revision, atLeast) => {
    const server = await httpServer('conformant')
    onTestFinished(server.close)
    const report = await runConformance(server.url, revision)
    expect(report.failing).toEqual([])
    expect(report.failed).toBe(0)
    // A suite that could not run has no failures either.
    expect(report.passed).toBeGreaterThanOrEqual(atLeast)
  },
  120_000,
)
