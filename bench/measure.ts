/** Measuring: percentiles, closed-loop callers, and the machine that a figure was taken on. */
import { cpus, release, totalmem } from 'node:os'

export type Figures = { perSecond: number; p50Ms: number; p99Ms: number; count: number }

function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN
}

/** @param latencies in ms, of all that ended in `elapsedMs` */
export function toFigures(latencies: readonly number[], elapsedMs: number): Figures {
  const sorted = latencies.toSorted((a, b) => a - b)
  const round = (n: number) => Math.round(n * 1000) / 1000
  return {
    perSecond: Math.round((latencies.length / elapsedMs) * 1000),
    p50Ms: round(percentile(sorted, 0.5)),
    p99Ms: round(percentile(sorted, 0.99)),
    count: latencies.length,
  }
}

export type Duration = { warmupMs: number; ms: number }
type Once = (caller: number, turn: number) => Promise<unknown>

/**
 * Callers that each wait for their answer before they ask again.
 * @param warmupMs calls that begin in this time are not counted
 */
export async function closedLoop(callers: number, duration: Duration, once: Once): Promise<Figures> {
  const { latencies, elapsedMs } = await latenciesOf(callers, duration, once)
  return toFigures(latencies, elapsedMs)
}

/** The same, call by call in ms, for those who put several processes together. */
export async function latenciesOf(
  callers: number,
  { warmupMs, ms }: Duration,
  once: Once,
): Promise<{ latencies: number[]; elapsedMs: number }> {
  const latencies: number[] = []
  const begin = performance.now() + warmupMs
  const end = begin + ms
  const caller = async (id: number) => {
    for (let turn = 0; ; turn++) {
      const started = performance.now()
      if (started >= end) return
      await once(id, turn)
      if (started >= begin) latencies.push(performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, id) => caller(id)))
  return { latencies, elapsedMs: performance.now() - begin }
}

export function machine() {
  const [first] = cpus()
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    at: new Date().toISOString(),
  }
}

export function printTable(title: string, rows: Record<string, unknown>[]): void {
  console.log(`\n${title}`)
  console.table(rows)
}
