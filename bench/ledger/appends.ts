/** Durable appends a second and their latency, on both stores and by several replicas, beside the plain store and what fdatasync allows. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fdatasyncFloor } from '../fdatasync-floor.ts'
import { closedLoop, toFigures } from '../measure.ts'
import type { Duration, Figures } from '../measure.ts'
import type { ReplicaAnswer, ReplicaOrder } from './replica.ts'
import { draftOf, inDatabase, inFolder, openLedgerWorld, openPlainWorld } from './worlds.ts'
import type { Place } from './worlds.ts'

const CALLERS = [1, 64, 512]

export type AppendRow = { what: string; store: string; replicas: number; callers: number } & Figures & {
    /** Of what the plain store reached in this run. */
    ofPlain?: number
  }

type Store = 'sqlite' | 'postgres'

/** A new store for each row: a figure must not depend on those before it. */
function inPlace<T>(store: Store, work: (place: Place) => Promise<T>): Promise<T> {
  return inFolder((folder) => (store === 'sqlite' ? work({ folder }) : inDatabase((url) => work({ folder, url }))))
}

async function plain(store: Store, callers: number, duration: Duration): Promise<AppendRow> {
  return inPlace(store, async (place) => {
    const world = await openPlainWorld(place)
    try {
      const figures = await closedLoop(callers, duration, (caller, turn) => world.insert(caller, turn, 'plain'))
      return { what: 'plain store: the same rows, nothing hashed, sealed or signed', store, replicas: 1, callers, ...figures }
    } finally {
      await world.close()
    }
  })
}

async function embedded(callers: number, duration: Duration): Promise<Figures> {
  return inPlace('sqlite', async (place) => {
    const world = await openLedgerWorld(place)
    try {
      return await closedLoop(callers, duration, (caller, turn) =>
        world.ledger.append({ changes: [], entries: [draftOf(caller, turn, 'run')] }),
      )
    } finally {
      await world.close()
    }
  })
}

async function answerOf(child: ChildProcess): Promise<ReplicaAnswer> {
  const [answer] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => {
      throw new Error('a replica of the bench ended before it had answered')
    }),
  ])) as [ReplicaAnswer]
  return answer
}

/** Callers are spread over the replicas, each a process; their calls are counted together. */
async function replicated(replicas: number, callers: number, duration: Duration): Promise<Figures> {
  return inPlace('postgres', async ({ folder, url = '' }) => {
    const children: ChildProcess[] = []
    try {
      for (let i = 0; i < replicas; i++) {
        const home = join(folder, `replica-${i}`)
        mkdirSync(home)
        const child = fork(join(import.meta.dirname, 'replica.ts'), [url, home, folder])
        children.push(child)
        // One after the other: the first makes keys and schema.
        await answerOf(child)
      }
      const share = (i: number) => Math.floor(callers / replicas) + (i < callers % replicas ? 1 : 0)
      const answers = children.map((child, i) => {
        const answer = answerOf(child)
        child.send({ callers: share(i), duration, run: `r${i}` } satisfies ReplicaOrder)
        return answer
      })
      const done = await Promise.all(answers)
      return toFigures(
        done.flatMap(({ latencies }) => latencies),
        Math.max(...done.map(({ elapsedMs }) => elapsedMs)),
      )
    } finally {
      const running = children.filter(({ connected }) => connected)
      const ended = running.map((child) => once(child, 'exit'))
      for (const child of running) child.disconnect()
      await Promise.all(ended)
    }
  })
}

export async function benchAppends(duration: Duration, withPostgres: boolean): Promise<AppendRow[]> {
  const rows: AppendRow[] = []
  for (const callers of CALLERS)
    rows.push({ what: 'floor: 1.5 KB row, fdatasync', store: 'file', replicas: 1, callers, ...(await fdatasyncFloor(callers, duration)) })
  const share = (row: Figures, of: Figures) => Math.round((row.perSecond / of.perSecond) * 100) / 100
  const what = 'ledger: entry with one payload'
  for (const callers of CALLERS) {
    const floor = await plain('sqlite', callers, duration)
    const row = await embedded(callers, duration)
    rows.push(floor, { what, store: 'sqlite', replicas: 1, callers, ...row, ofPlain: share(row, floor) })
  }
  if (!withPostgres) return rows
  for (const callers of CALLERS) {
    const floor = await plain('postgres', callers, duration)
    rows.push(floor)
    for (const replicas of [1, 2, 3].filter((count) => count <= callers)) {
      const row = await replicated(replicas, callers, duration)
      rows.push({ what, store: 'postgres', replicas, callers, ...row, ofPlain: share(row, floor) })
    }
  }
  return rows
}
