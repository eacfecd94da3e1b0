/** Has checkpoints cosigned by witnesses, behind the appends and never before them, and raises the alarm when too few do. */
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import { makeConsistency, readCheckpoint, tileReader, toHex, verifyCosignature } from '@ephor/proof'
import type { Hash } from '@ephor/proof'
import { Fault } from '@ephor/contract'
import { readPlace } from '../log-files.ts'
import { readStore } from '../store.ts'
import type { Ledger, Published } from '../types.ts'
import { askWitness, readMonitored } from './ask-witness.ts'
import { Rounds } from './rounds.ts'
import { watchDeadline } from './watch-deadline.ts'
import type { Witness, Witnesses, WitnessStatus } from './types.ts'
import { putCosignature, readWitnessing, thinCosignatures } from './witness-store.ts'

export type WitnessesOptions = {
  store: Store
  ledger: Pick<Ledger, 'origin' | 'append' | 'head' | 'onCheckpoint' | 'forks'>
  witnesses: readonly Witness[]
  /** How many cosignatures a checkpoint needs. */
  quorum: number
  /** Within how many ms after it was signed. */
  deadlineMs: number
  /** The pause after a witness failed, in ms: a second unless said; it doubles with each failure. */
  pauseMs?: number
  clock: Clock
  log: Logger
}

/** Cosignatures of the last ten minutes are all kept, of before that one an hour. */
const KEPT_MS = 600_000
const HOUR_MS = 3_600_000

const idOf = ({ key }: Witness) => `${key.name}+${toHex(key.keyId)}`

type Waiter = { size: number; count: number; done(isCosigned: boolean): void }

/** Consistency proofs from the stored tiles: a tile only grows, so those of an older size are in it. */
function proofsOf(store: Store): (old: number, size: number) => Promise<Hash[]> {
  const reads = readStore(store)
  return (old, size) =>
    makeConsistency(
      old,
      size,
      tileReader(size, async (place) => {
        const tile = await readPlace(reads, place)
        if (!tile) throw new Fault('STORE_CORRUPT', `a tile of level ${place.level} is missing`)
        return tile
      }),
    )
}

export async function openWitnesses(options: WitnessesOptions): Promise<Witnesses> {
  const { store, ledger, witnesses, quorum, clock, log, pauseMs = 1000 } = options
  const own = readWitnessing(store)
  const proofOf = proofsOf(store)
  const byId = new Map(witnesses.map((witness) => [idOf(witness), witness]))
  const known = await own.known()
  const status = new Map<string, Pick<WitnessStatus, 'size' | 'at' | 'failure'>>(
    [...byId.keys()].map((id) => [id, { size: known.get(id), at: undefined, failure: undefined }]),
  )
  const waiters = new Set<Waiter>()
  const abort = new AbortController()
  let thinnedAt = 0

  const needed = () => Math.min(witnesses.length, Math.max(quorum, ...[...waiters].map(({ count }) => count)))
  const rounds = new Rounds({ members: [...byId.keys()], pauseMs, needed, ask: (id, target) => askOne(id, target).catch(failed(id)) })
  const failed = (id: string) => (error: unknown) => {
    if (!abort.signal.aborted) log.error({ err: error, witness: id }, 'a cosignature could not be asked for')
    return false
  }
  const deadline = await watchDeadline({ ...options, status: () => listStatus() })

  function settle(): void {
    for (const waiter of waiters) if (rounds.reached(waiter.size, waiter.count) !== undefined) waiter.done(true)
    deadline.reached(rounds.reached(0, quorum))
  }

  async function keep(id: string, target: Published, line: string): Promise<void> {
    const at = clock.now()
    const thin = at - thinnedAt > KEPT_MS / 10
    if (thin) thinnedAt = at
    const old = thin ? [...byId.keys()].map((one) => thinCosignatures(one, at - 24 * HOUR_MS, at - KEPT_MS, HOUR_MS)) : []
    await store.commit({ changes: [putCosignature({ size: target.size, witness: id, line, note: target.note, at }), ...old] })
  }

  /** What it says is no proof; the checkpoint that it cosigned is, if the ledger's key signed it. */
  async function examine(id: string, witness: Witness, detail: string): Promise<void> {
    const theirs = await readMonitored(witness, ledger.origin, abort.signal)
    const compared = theirs === undefined ? undefined : await ledger.forks.compare(theirs, `witness ${witness.key.name}`)
    if (compared?.kind === 'contained') return
    log.error({ witness: id, detail, compared: compared?.kind ?? 'it shows no checkpoint' }, 'a witness refuses to cosign this ledger')
  }

  async function askOne(id: string, target: Published): Promise<boolean> {
    const witness = byId.get(id) as Witness
    const asked = await askWitness({ witness, target, known: known.get(id) ?? 0, proofOf, now: () => clock.now(), signal: abort.signal })
    if (abort.signal.aborted) return false
    if (asked.kind === 'cosigned') {
      await keep(id, target, asked.line)
      known.set(id, target.size)
      status.set(id, { size: target.size, at: asked.time, failure: undefined })
      rounds.mark(target.size, id)
      settle()
      return true
    }
    status.set(id, { ...(status.get(id) ?? { size: undefined, at: undefined }), failure: asked.detail })
    if (asked.kind === 'refused') {
      known.set(id, Math.min(asked.size, target.size))
      await examine(id, witness, asked.detail)
    } else log.warn({ witness: id, detail: asked.detail }, 'a witness did not cosign; it is asked again')
    return false
  }

  /** Also of another replica. Whoever writes to the database could put lines there, so each is checked. */
  async function load(from: number): Promise<void> {
    for (const { size, witness: id, line, note } of await own.cosignaturesFrom(from, 100)) {
      const witness = byId.get(id)
      if (!witness) continue
      const cosigned = await verifyCosignature(note + line, witness.key).catch(() => undefined)
      const isOurs = cosigned && (await ledger.forks.compare(note, 'store')).kind === 'contained'
      if (isOurs) rounds.mark(size, id)
    }
    settle()
  }

  const listStatus = (): WitnessStatus[] =>
    [...byId].map(([id, { key, url }]) => ({ name: key.name, url, ...(status.get(id) as Pick<WitnessStatus, 'size' | 'at' | 'failure'>) }))

  async function hurry(): Promise<void> {
    try {
      await ledger.head()
      settle()
      rounds.hurry()
    } catch (error) {
      log.error({ err: error }, 'no checkpoint could be signed for a call that waits for witnesses')
    }
  }

  const onForeign = store.onForeign(() => {
    if (waiters.size > 0 || deadline.outage()) load(Math.min(...[...waiters].map(({ size }) => size), 0)).catch(failed('another replica'))
  })
  const publish = (target: Published) => {
    deadline.published(target.size, clock.now())
    rounds.publish(target)
    settle()
  }
  const onCheckpoint = ledger.onCheckpoint(publish)
  if (witnesses.length > 0) {
    const row = await readStore(store).checkpoint()
    if (row) {
      await load(row.size)
      publish({ size: row.size, root: readCheckpoint(row.note).root, note: row.note })
    }
  }

  return {
    configured: witnesses.length,
    keys: witnesses.map(({ key }) => key),
    quorum,
    status: listStatus,
    outage: () => deadline.outage(),
    cosigned(seq, count, signal) {
      if (signal.aborted || abort.signal.aborted) return Promise.resolve(false)
      return new Promise((resolve) => {
        const stop = () => waiter.done(false)
        const waiter: Waiter = {
          size: seq + 1,
          count,
          done(isCosigned) {
            waiters.delete(waiter)
            signal.removeEventListener('abort', stop)
            resolve(isCosigned)
          },
        }
        waiters.add(waiter)
        signal.addEventListener('abort', stop, { once: true })
        void hurry()
      })
    },
    close() {
      abort.abort()
      rounds.close()
      onForeign()
      onCheckpoint()
      deadline.close()
      for (const waiter of waiters) waiter.done(false)
    },
  }
}
