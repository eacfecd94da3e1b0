/** Opens what watches the ledger from outside, by the settings: witnesses, and the checkpoint that others saw. */
import { Fault } from '@ephor/contract'
import type { Clock, Logger, Store } from '@ephor/engine/kernel'
import { isoTime } from '@ephor/engine/kernel'
import { followGossip, openWitnesses } from '@ephor/engine/ledger'
import type { Ledger } from '@ephor/engine/ledger'
import { parseCosignerKey } from '@ephor/proof'
import type { Settings } from '../settings/schema.ts'

export type WitnessingRooms = { store: Store; ledger: Ledger; clock: Clock; log: Logger; settings: Pick<Settings, 'ledger'> }

/** @throws Fault SETTINGS_INVALID */
export async function openWitnessing({ store, ledger, clock, log, settings }: WitnessingRooms) {
  const { witnesses: named, witnessQuorum, witnessDeadline, gossip: source } = settings.ledger
  const list = named.map(({ key, url }) => ({ key: parseCosignerKey(key), url }))
  const quorum = witnessQuorum ?? list.length
  if (quorum > list.length)
    throw new Fault('SETTINGS_INVALID', `the setting "ledger.witnessQuorum" is ${quorum}, but "ledger.witnesses" names ${list.length}`)
  const gossip = source === undefined ? undefined : followGossip({ source, forks: ledger.forks, log })
  // Before anything is permitted: a store that was put back may be what others can prove.
  await gossip?.check()
  const witnesses = await openWitnesses({ store, ledger, witnesses: list, quorum, deadlineMs: witnessDeadline, clock, log })
  return {
    witnesses,
    warnings(): string[] {
      const [outage, unread] = [witnesses.outage(), gossip?.failure()]
      return [
        ...(outage ? [`too few witnesses cosign the ledger since ${isoTime(outage.since)}`] : []),
        ...(unread === undefined ? [] : ['the checkpoint that others saw (ledger.gossip) can’t be compared']),
      ]
    },
    close() {
      gossip?.close()
      witnesses.close()
    },
  }
}
