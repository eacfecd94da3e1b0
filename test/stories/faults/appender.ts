/** A process that appends until it is killed, as clients do that need their answer: what was refused is tried again under the same id. */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '@ephor/contract'
import type { Ledger } from '@ephor/engine/ledger'
import { openWorld, partOf } from './ledger-world.ts'
import type { Acknowledged } from './ledger-world.ts'

/** A line of output: what was acknowledged, or by which code one attempt was refused. */
export type Line = (Acknowledged & { found?: true; at: number }) | { refused: string }

const [home = '', run = '', url, keys] = process.argv.slice(2)
/** At once: what is only in this process's memory when it is killed was told to nobody. */
function tell(line: Line): void {
  for (let rest = Buffer.from(`${JSON.stringify(line)}\n`); rest.length > 0;)
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
}

/** Undefined: it was refused, and nobody knows whether it is there. */
async function attempt(ledger: Ledger, id: string): Promise<Acknowledged | undefined> {
  try {
    const [receipt] = await ledger.append({ changes: [], entries: partOf(id) })
    return receipt && { id, seq: receipt.seq, leafHash: receipt.leafHash }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    if (error.code === 'CONFLICT') {
      const found = await ledger.find(id).catch(() => undefined)
      return found && { id, seq: found.seq, leafHash: found.leafHash }
    }
    tell({ refused: error.code })
    await sleep(5)
    return undefined
  }
}

const { ledger } = await openWorld({ home, url: url === '' ? undefined : url, ...(keys === undefined ? {} : { keys }) })
let next = 0
await Promise.all(
  Array.from({ length: 16 }, async () => {
    for (;;) {
      const id = `${run}-${next++}`
      for (let done: Acknowledged | undefined; !done;) if ((done = await attempt(ledger, id))) tell({ ...done, at: Date.now() })
    }
  }),
)
