/** No older copy of the database brings a name back: the list outside the store says whose names were erased. */
import type { Identity } from '@ephor/engine/identity'
import type { Erasure } from '@ephor/engine/ledger'
import type { Registry } from '@ephor/engine/registry'
import { eraseSubject } from './erase-subject.ts'
import type { ErasureRooms } from './erase-subject.ts'

const SYSTEM = 'system'

export type KeepingRooms = ErasureRooms & {
  identity: Pick<Identity, 'people' | 'setGroups' | 'sessions' | 'closeSession' | 'credentials' | 'revokeCredential'>
  registry: Pick<Registry, 'agents' | 'retireAgent'>
  erasure: Pick<Erasure, 'namesErased' | 'keepErased'>
}

/** Whoever was erased did not act any more; what an older copy lets them do again ends first. */
async function endActing({ identity, registry }: KeepingRooms, subject: string): Promise<void> {
  if (registry.agent(subject)) await registry.retireAgent(subject, SYSTEM)
  if (!identity.person(subject)) return
  if (identity.person(subject)?.groups.length !== 0) await identity.setGroups(subject, [], SYSTEM)
  for (const { id } of identity.sessions(subject)) await identity.closeSession(id, SYSTEM)
  for (const agent of registry.agents())
    for (const { id, onBehalfOf, state } of identity.credentials(agent.id))
      if (onBehalfOf === subject && state === 'active') await identity.revokeCredential(id, SYSTEM)
}

/** Called at the start, before policies see who is there. What fails is logged, and tried again at the next start. */
export async function keepNamesErased(rooms: KeepingRooms): Promise<void> {
  const { identity, registry, erasure, log } = rooms
  const people = identity.people().filter(({ id }) => identity.isErased(id))
  const agents = registry.agents().filter(({ id }) => registry.isErased(id))
  const gone = new Set([...people, ...agents].map(({ id }) => id))
  erasure.keepErased(gone)
  for (const subject of erasure.namesErased()) {
    const isBack = !gone.has(subject) && (identity.person(subject) ?? registry.agent(subject)) !== undefined
    if (!isBack) continue
    log.warn({ subject }, 'a name that was erased is in the store again; it is erased again')
    try {
      await endActing(rooms, subject)
      await eraseSubject(rooms, subject, { reason: 'came-back', by: SYSTEM })
    } catch (error) {
      log.error({ err: error, subject }, 'the name could not be erased again')
    }
  }
}
