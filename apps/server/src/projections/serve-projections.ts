/** GET /v1/ledger/projections: runs the checks of all rooms over one pass of the ledger. */
import { ledgerProjectionsOperations } from '@ephor/contract'
import { mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import { checkProjections } from '@ephor/engine/ledger'
import type { FastifyInstance } from 'fastify'
import { makeProjectors } from './make-projectors.ts'
import type { ProjectedRooms } from './make-projectors.ts'

/** Enough to see what happened; a database of another installation would differ in every row. */
const SHOWN = 1000

export function serveProjections(app: FastifyInstance, rooms: ProjectedRooms, authenticate: Authenticate): void {
  let running: ReturnType<typeof checkProjections> | undefined
  // Whoever asks while it runs gets its answer too: ten that ask don't read the ledger ten times.
  const check = () => (running ??= checkProjections(rooms.ledger, makeProjectors(rooms)).finally(() => (running = undefined)))
  mount(
    app,
    ledgerProjectionsOperations,
    {
      async checkProjections() {
        const { entries, rows, differences, uncovered } = await check()
        return {
          entries,
          rows,
          differs: differences.length,
          differences: differences.slice(0, SHOWN),
          notCovered: uncovered.length,
          uncovered: uncovered.slice(0, SHOWN),
        }
      },
    },
    authenticate,
  )
}
