/** The checks of all rooms, one line a room: what a table must be, by the ledger. */
import { approvalsProjector } from '@ephor/engine/approvals'
import { backtestsProjector } from '@ephor/engine/backtests'
import { brokerProjector } from '@ephor/engine/broker'
import { budgetsProjector } from '@ephor/engine/budgets'
import type { Identity } from '@ephor/engine/identity'
import type { Clock, Keys, Store } from '@ephor/engine/kernel'
import { ledgerProjector } from '@ephor/engine/ledger'
import type { Ledger, Projector, Witnesses } from '@ephor/engine/ledger'
import { outboxProjector } from '@ephor/engine/outbox'
import { policyProjector } from '@ephor/engine/policy'
import type { Registry } from '@ephor/engine/registry'
import type { Vault } from '@ephor/engine/vault'
import { answersProjector } from '../idempotency/projector.ts'
import { rolloutsProjector } from '@ephor/engine/rollouts'

export type ProjectedRooms = {
  store: Store
  ledger: Ledger
  clock: Clock
  keys: Pick<Keys, 'kek'>
  registry: Pick<Registry, 'projector'>
  identity: Pick<Identity, 'projector'>
  vault: Pick<Vault, 'projector'>
  witnessing: { witnesses: Pick<Witnesses, 'keys'> }
}

/** Those that need nothing but the store and what the ledger answers. */
const MAKERS = [
  brokerProjector,
  budgetsProjector,
  approvalsProjector,
  rolloutsProjector,
  backtestsProjector,
  policyProjector,
  outboxProjector,
]

/** Fresh ones, for one pass. */
export function makeProjectors({ store, ledger, clock, keys, registry, identity, vault, witnessing }: ProjectedRooms): Projector[] {
  const ledgers = ledgerProjector({ store, ledger, cosigners: witnessing.witnesses.keys })
  const own = [ledgers, registry.projector(), identity.projector(), vault.projector(), answersProjector(store, keys.kek)]
  return [...own, ...MAKERS.map((make) => make({ store, ledger, clock }))]
}
