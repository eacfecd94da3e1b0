/** Takes over, once, rows from before entries committed to them: from then on no row acts without an entry that has it. */
import { randomBytes } from 'node:crypto'
import { Fault } from '@ephor/contract'
import { checkProjections } from '@ephor/engine/ledger'
import type { Ledger } from '@ephor/engine/ledger'
import type { Context } from './context.ts'
import { identityProjector } from './projector.ts'
import { credentialClaim, FIRST_ENTRY, personClaim } from './rows.ts'
import { adoptCredential, adoptPerson, loadCredentials, loadPeople } from './store.ts'

/** @throws Fault STORE_CORRUPT when an entry is missing, or is not what was signed: one that is gone could be the first person's */
function provenOnly(ledger: Ledger): Pick<Ledger, 'list'> {
  return {
    async list(query) {
      const entries = await ledger.list(query)
      const { after = -1 } = query
      if (entries.some(({ seq }, i) => seq !== after + 1 + i) || !(await ledger.proves(entries)))
        throw new Fault('STORE_CORRUPT', `entries of the ledger after ${after} are missing, or are not those that were signed`)
      return entries
    },
  }
}

/**
 * The ledger takes the first person's entry once, so that rows which somebody adds later are never taken over; nor are
 * those that older entries contradict. Reads the whole ledger, this once. Sessions and links from before open nothing any
 * more: people sign in again.
 */
export async function adoptRows({ store, ledger }: Pick<Context, 'store' | 'ledger'>): Promise<void> {
  if (await ledger.find(FIRST_ENTRY)) return
  const everyone = await loadPeople(store)
  if (everyone.length === 0) return
  const { differences } = await checkProjections(provenOnly(ledger), [identityProjector(store)])
  const wrong = new Set(differences.map(({ table, key }) => `${table}/${key}`))
  const people = everyone
    .filter(({ id }) => !wrong.has(`identity_person/${id}`))
    .map((person) => ({ ...person, version: 1, salt: randomBytes(16).toString('hex') }))
  // Without the first person nothing is taken over: it would be a ledger without that entry still.
  if (!people.some(({ operator }) => operator)) throw new Fault('STORE_CORRUPT', 'identity_person has no operator whom the ledger knows')
  const credentials = (await loadCredentials(store))
    .filter(({ id }) => !wrong.has(`identity_credential/${id}`))
    .map((credential) => ({ ...credential, version: 1 }))
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
