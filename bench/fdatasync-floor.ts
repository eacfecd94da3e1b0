/** The floor under every durable figure: rows appended to a plain file, made durable by fdatasync, callers sharing each sync. */
import { closeSync, fdatasync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { closedLoop } from './measure.ts'
import type { Figures } from './measure.ts'

const sync = promisify(fdatasync)

/** @param rowBytes size of one caller's row */
export async function fdatasyncFloor(
  callers: number,
  duration: { warmupMs: number; ms: number },
  rowBytes = 1536,
  folder = tmpdir(),
): Promise<Figures> {
  const home = mkdtempSync(join(folder, 'ephor-floor-'))
  const file = openSync(join(home, 'rows'), 'a')
  const row = Buffer.alloc(rowBytes, 'x')
  let waiting: (() => void)[] = []
  let busy = false

  async function flush(): Promise<void> {
    if (busy || waiting.length === 0) return
    busy = true
    const batch = waiting
    waiting = []
    writeSync(file, Buffer.concat(batch.map(() => row)))
    await sync(file)
    busy = false
    for (const done of batch) done()
    void flush()
  }

  try {
    return await closedLoop(callers, duration, () => {
      return new Promise<void>((resolve) => {
        waiting.push(resolve)
        if (waiting.length === 1) queueMicrotask(() => void flush())
      })
    })
  } finally {
    closeSync(file)
    rmSync(home, { recursive: true })
  }
}
