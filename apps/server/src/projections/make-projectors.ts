/** The checks of all rooms, one line a room: what a table must be, by the ledger. */
import type { Store } from '@ephor/engine/kernel'
import type { Ledger, Projector } from '@ephor/engine/ledger'
import type { Registry } from '@ephor/engine/registry'

export type ProjectedRooms = {
  store: Store
  ledger: Ledger
  registry: Pick<Registry, 'projector'>
}

/** Fresh ones, for one pass. */
export function makeProjectors({ registry }: ProjectedRooms): Projector[] {
  return [registry.projector()]
}
