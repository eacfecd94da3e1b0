/** Takes over, once, rows from before entries committed to them: from then on no row acts without an entry that has it. */
import { randomBytes } from 'node:crypto'
import { Fault } from '@ephor/contract'
import type { Context } from './context.ts'
import { credentialClaim, FIRST_ENTRY, personClaim } from './rows.ts'
import { adoptCredential, adoptPerson, loadCredentials, loadPeople } from './store.ts'

/**
 * The ledger takes the first person's entry once, so that rows which somebody adds later are never taken over.
 * Sessions and links from before open nothing any more: people sign in again.
 */
export async function adoptRows({ store, ledger }: Pick<Context, 'store' | 'ledger'>): Promise<void> {
  if (await ledger.find(FIRST_ENTRY)) return
  const people = (await loadPeople(store)).map((person) => ({ ...person, version: 1, salt: randomBytes(16).toString('hex') }))
  if (!people.some(({ operator }) => operator)) return
  const credentials = (await loadCredentials(store)).map((credential) => ({ ...credential, version: 1 }))
  try {
    await ledger.append({
      changes: [...people.map(adoptPerson), ...credentials.map(adoptCredential)],
      entries: [
        ...people.map((person) => {
          const { entry, row } = personClaim(person)
          return { type: 'person.adopted', id: entry, body: { person: person.id, row } }
        }),
        ...credentials.map((credential) => {
          const { entry, row } = credentialClaim(credential)
          return { type: 'credential.adopted', id: entry, body: { credential: credential.id, agent: credential.agent, row } }
        }),
      ],
    })
  } catch (error) {
    // Another replica was first.
    if (!(error instanceof Fault) || error.code !== 'CONFLICT') throw error
  }
}
