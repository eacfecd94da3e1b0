/** The checks of all rooms, one line a room: what a table must be, by the ledger. */
import type { Identity } from '@ephor/engine/identity'
import type { Store } from '@ephor/engine/kernel'
import type { Ledger, Projector } from '@ephor/engine/ledger'
import type { Registry } from '@ephor/engine/registry'

export type ProjectedRooms = {
  store: Store
  ledger: Ledger
  registry: Pick<Registry, 'projector'>
  identity: Pick<Identity, 'projector'>
}

/** Fresh ones, for one pass. */
export function makeProjectors({ registry, identity }: ProjectedRooms): Projector[] {
  return [registry.projector(), identity.projector()]
}
