/** The alarm: a checkpoint that too few witnesses cosigned within the deadline, recorded once when it begins and once when it ends. */
import { Fault } from '@ephor/contract'
import { isoTime } from '@ephor/engine/kernel'
import type { WitnessesOptions } from './open-witnesses.ts'
import type { Outage, WitnessStatus } from './types.ts'
import { deleteOutage, insertOutage, readWitnessing } from './witness-store.ts'

/** Of checkpoints that wait for cosignatures, in a long outage; the first is always kept. */
const MAX_WAITING = 1000

type Options = Pick<WitnessesOptions, 'store' | 'ledger' | 'quorum' | 'deadlineMs' | 'clock' | 'log'> & { status: () => WitnessStatus[] }

export type Deadline = {
  outage(): Outage | undefined
  /** `at`: ms since 1970. */
  published(size: number, at: number): void
  /** The largest size that the quorum cosigned. */
  reached(size: number | undefined): void
  close(): void
}

export async function watchDeadline({ store, ledger, quorum, deadlineMs, clock, log, status }: Options): Promise<Deadline> {
  let outage: Outage | undefined = await readWitnessing(store).outage()
  /** Checkpoints that the quorum has not cosigned yet, in order, and when they were signed. */
  let waiting: Outage[] = outage ? [outage] : []
  let cosigned = -1
  let writing: Promise<void> | undefined

  async function write(next: Outage | undefined): Promise<void> {
    const { size, since } = (next ?? outage) as Outage
    const silent = status().flatMap(({ name, failure }) => (failure === undefined ? [] : [name]))
    const body = { state: next ? 'began' : 'ended', quorum, size, since: isoTime(since), ...(next ? { silent } : {}) }
    try {
      const changes = [next ? insertOutage(next) : deleteOutage()]
      await ledger.append({ changes, entries: [{ type: 'ledger.witness.missing', body }] })
    } catch (error) {
      // Another replica recorded it.
      if (!(error instanceof Fault && error.code === 'CONFLICT')) throw error
    }
    outage = next
  }

  function change(next: Outage | undefined): void {
    writing = write(next)
      .catch((error: unknown) => log.error({ err: error }, 'the alarm about witnesses could not be recorded; it is tried again'))
      .finally(() => (writing = undefined))
  }

  function check(): void {
    if (writing) return
    const [first] = waiting
    const late = quorum > 0 && first && clock.now() - first.since > deadlineMs ? first : undefined
    if (late && !outage) {
      log.error({ ...late, quorum, witnesses: status() }, 'too few witnesses cosigned the ledger within the deadline')
      change(late)
    } else if (!late && outage) {
      log.info({ since: isoTime(outage.since) }, 'the ledger no longer waits for witnesses')
      change(undefined)
    }
  }

  const timer = setInterval(check, Math.max(20, Math.min(5_000, deadlineMs / 4))).unref()
  return {
    outage: () => outage,
    published(size, since) {
      if (quorum > 0 && size > cosigned) waiting.push({ size, since })
      if (waiting.length > MAX_WAITING) waiting = waiting.filter((_, i) => i % 2 === 0)
    },
    reached(size) {
      if (size === undefined || size <= cosigned) return
      cosigned = size
      waiting = waiting.filter((one) => one.size > size)
      check()
    },
    close: () => clearInterval(timer),
  }
}
