/** A thread that makes stretches of decisions again, one after another; one that hangs or dies is given up. */
import { Worker } from 'node:worker_threads'
import { Fault, FAULTS } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'
import type { SealedEntries } from '@ephor/engine/ledger'
import { pack } from './pack.ts'
import type { Source } from './replay.ts'
import type { FromThread, ThreadData, ToThread } from './replay-thread.ts'
import type { Tally } from './types.ts'

export interface Replayer {
  /** @throws Fault of the candidate's texts; BACKTEST_FAILED when the thread ended, or took too long. */
  replay(batch: SealedEntries, most: number): Promise<Tally>
  close(): Promise<void>
}

/** Policies have a budget of steps for each decision, so only what can't be bounded by steps is ever ended by this. */
const BATCH_MS = 120_000
/** MiB: what many large versions and worlds need, and far less than would harm the decisions that are being made beside it. */
const HEAP = 1024

/** What can't be read is not there. */
async function find(source: Source, wants: 'files' | 'world', key: string) {
  try {
    return await source[wants](key)
  } catch {
    return undefined
  }
}

export function startReplayer(data: ThreadData, source: Source): Replayer {
  const thread = new Worker(new URL('./replay-thread.ts', import.meta.url), {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: HEAP },
  })
  let settle: ((reply: Tally | Fault) => void) | undefined
  let ended: Fault | undefined
  const end = (why: string) => {
    ended ??= new Fault('BACKTEST_FAILED', why)
    settle?.(ended)
  }
  thread.on('error', (error: Error) => end(`the thread that replays failed: ${error.message}`))
  thread.on('exit', () => end('the thread that replays ended'))
  thread.on('message', (message: FromThread) => {
    if ('wants' in message) {
      const { wants, key } = message
      void find(source, wants, key).then((found) => thread.postMessage({ key, found } satisfies ToThread))
    } else if ('tally' in message) settle?.(message.tally)
    else settle?.(new Fault(message.fault in FAULTS ? (message.fault as FaultCode) : 'INTERNAL', message.detail))
  })

  return {
    async replay(batch, most) {
      if (ended) throw ended
      const reply = await new Promise<Tally | Fault>((resolve) => {
        const timer = setTimeout(
          () => end(`a stretch of ${batch.entries.length} decisions took longer than ${BATCH_MS / 1000} s`),
          BATCH_MS,
        )
        settle = (said) => {
          clearTimeout(timer)
          settle = undefined
          resolve(said)
        }
        const packed = pack(batch)
        thread.postMessage({ batch: packed, most } satisfies ToThread, [packed.bytes.buffer])
      })
      if (!(reply instanceof Fault)) return reply
      await thread.terminate()
      throw reply
    },
    close: async () => void (await thread.terminate()),
  }
}
