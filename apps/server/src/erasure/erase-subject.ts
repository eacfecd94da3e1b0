/** An erasure as a whole: what the ledger has sealed for a subject, and its names in the rooms above the ledger, in one unit. */
import type { ErasureDone, ErasureReason, NamingRow } from '@ephor/contract'
import type { Identity } from '@ephor/engine/identity'
import type { Logger, Store } from '@ephor/engine/kernel'
import type { Erasure, Ledger, Names, Part } from '@ephor/engine/ledger'
import { countNamed, forgetAgent } from '@ephor/engine/policy'
import type { Registry } from '@ephor/engine/registry'

export type ErasureRooms = {
  store: Store
  ledger: Ledger
  log: Logger
  identity: Pick<Identity, 'person' | 'actsStill' | 'isErased' | 'erasePerson'>
  registry: Pick<Registry, 'agent' | 'isErased' | 'eraseAgent'>
  erasure: Pick<Erasure, 'erase' | 'holdOn' | 'keepErased'>
}
/** `came-back`: erased before, and brought back by an older copy of the database. */
type How = { reason: ErasureReason | 'came-back'; by: string }

function personRows({ identity }: ErasureRooms, id: string): NamingRow[] {
  const person = identity.person(id)
  if (!person) return []
  const acts = identity.isErased(id) ? undefined : identity.actsStill(id)
  return [
    ...(identity.isErased(id)
      ? []
      : [
          {
            room: 'identity',
            what: `the name “${person.name}” of the person`,
            ...(acts === undefined ? {} : { stays: acts, fault: 'STILL_ACTING' as const }),
          },
        ]),
    { room: 'identity', what: 'the id of the person and their sessions by id', stays: 'the ledger goes by them' },
  ]
}

async function agentRows({ registry, store }: ErasureRooms, id: string): Promise<NamingRow[]> {
  const agent = registry.agent(id)
  if (!agent) return []
  const acts = agent.state === 'active' ? { stays: 'the agent is active: retire it first', fault: 'STILL_ACTING' as const } : {}
  const worlds = await countNamed(store, id)
  return [
    ...(registry.isErased(id) ? [] : [{ room: 'registry', what: `the name “${agent.name}” and the purpose of the agent`, ...acts }]),
    ...(worlds === 0
      ? []
      : [{ room: 'policy', what: `the name and the purpose in ${worlds} lists of agents that decisions were made by`, ...acts }]),
    {
      room: 'registry',
      what: 'the owner, the teams, the tier and the standing of the agent',
      stays: 'they say who answered for it, and how far it was trusted',
    },
  ]
}

/** What is known of a subject outside the ledger, and what of it would go now. */
export async function namesOf(rooms: ErasureRooms, subject: string): Promise<NamingRow[]> {
  const rows = [...personRows(rooms, subject), ...(await agentRows(rooms, subject))]
  const hold = await rooms.erasure.holdOn(subject)
  if (hold === undefined) return rows
  return rows.map((row) =>
    row.stays === undefined ? { ...row, stays: `the legal hold ${hold} covers it`, fault: 'LEGAL_HOLD' as const } : row,
  )
}

/** An active agent and a person who still acts lose what is sealed, and keep their names: the answer says so. */
export async function eraseSubject(rooms: ErasureRooms, subject: string, how: How): Promise<ErasureDone> {
  const { erasure, identity, registry } = rooms
  const names = await namesOf(rooms, subject)
  const going = [...new Set(names.filter(({ stays }) => stays === undefined).map(({ room }) => room))]

  /** In one unit with the rows of the room, which it gets from there. */
  async function together(own: Part) {
    const part: Names['part'] = async () => {
      const worlds = registry.agent(subject) ? await forgetAgent(rooms, subject, how.by) : { changes: [], entries: [] }
      return { changes: [...own.changes, ...worlds.changes], entries: [...own.entries, ...worlds.entries] }
    }
    const { named, ...done } = await erasure.erase(subject, how, { rooms: going, part })
    return { done: { ...done, named }, written: named }
  }

  async function erase() {
    if (going.includes('identity')) return identity.erasePerson(subject, how.by, together)
    if (going.includes('registry')) return registry.eraseAgent(subject, how.by, together)
    // Another replica kept a world with the name in it while it was erased.
    if (going.length > 0) return (await together({ changes: [], entries: [] })).done
    return erasure.erase(subject, how)
  }

  const { named, ...done } = await erase()
  if (named) erasure.keepErased([subject])
  return { ...done, names: going.length > 0 && !named ? await namesOf(rooms, subject) : names }
}
