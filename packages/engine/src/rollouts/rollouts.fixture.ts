/** For this room's tests: real rooms under a charter, with people of two groups, and agents that call. */
import { Fault } from '@ephor/contract'
import { callOf, openWorld } from '@ephor/testkit'
import type { World, WorldOptions } from '@ephor/testkit'
import type { PolicyFiles } from '../policy/types.ts'

export const PERMIT = '@id("all")\n@reason("Everything is permitted.")\npermit (principal, action, resource);\n'
/** Holds what PERMIT permits. */
export const HOLD_NOTES = `${PERMIT}@id("notes")\n@reason("Notes are looked at.")\n@approval("deadline:10m")\nforbid (principal, action == Action::"box/note", resource);\n`
export const FORBID_NOTES = `${PERMIT}@id("no-notes")\n@reason("No notes.")\nforbid (principal, action == Action::"box/note", resource);\n`

export const CHARTER = `authorities:
  policy: { review: ["group:security"], publish: ["group:security"], reviewers: 1 }
  charter: { review: ["group:board"], publish: ["group:board"], reviewers: 2 }
`
export const BASE: PolicyFiles = { 'p.cedar': PERMIT, 'charter.yaml': CHARTER }

export type Board = Awaited<ReturnType<typeof openBoard>>

export async function openBoard(options: WorldOptions = {}) {
  const world = await openWorld({ policies: BASE, ...options })
  const { refused } = world.policy.active()
  if (refused) throw new Error(JSON.stringify(refused.findings))
  const { identity, rollouts } = world
  const { operator } = identity
  const add = async (name: string, groups: string[]) => (await identity.addPerson({ name, groups }, operator)).id
  const known = identity.people().filter((person) => !person.operator)
  const [ann = '', sam = '', sue = '', bea = '', ben = ''] =
    known.length > 0
      ? known.map(({ id }) => id)
      : [
          await add('Ann', ['policy']),
          await add('Sam', ['security']),
          await add('Sue', ['security']),
          await add('Bea', ['board']),
          await add('Ben', ['board']),
        ]
  return {
    world,
    people: { operator, /** No authority. */ ann, /** Security. */ sam, sue, /** The board. */ bea, ben },
    /** Proposed by Ann, and reviewed by whoever is named. */
    proposed: async (files: PolicyFiles, ...reviewers: string[]) => {
      const { id, version } = await rollouts.propose(ann, { files, why: 'a test' })
      for (const reviewer of reviewers) await rollouts.review(id, reviewer, { verdict: 'approve', version })
      return { id, version }
    },
    stateOf: async (id: string) => (await rollouts.dossier(id)).proposal.state,
    entries: async (type: string) =>
      (await world.ledger.list({ limit: 500 }))
        .map(({ body }) => body)
        .filter((body) => typeof body.type === 'string' && body.type.startsWith(type)),
  }
}

/** Calls of one agent, in as many sessions as are named. */
export async function makeCaller(world: World, bearer?: string) {
  const known = bearer ?? (await world.agent()).bearer
  return (name: string, session = 's1', input = {}, approval?: string) =>
    world.broker.perform(callOf(known, name, input, { session, ...(approval === undefined ? {} : { approval }) }), async () => ({
      isError: false,
      value: 'done',
    }))
}

export async function faultOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Fault) return error.code
    throw error
  }
  return 'none'
}

/** Lets what was started beside the calls finish. */
export const settled = () => new Promise<void>((resolve) => void setTimeout(resolve, 20))
