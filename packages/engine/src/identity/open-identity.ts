/** Opens the room: loads what it knows into memory, makes the first person, and puts the halves together. */
import type { Clock, Keys, Logger, Store } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import { adoptRows } from './adopt.ts'
import { makeAuthenticate } from './authenticate.ts'
import type { Context } from './context.ts'
import { makeCredentials } from './credentials.ts'
import { makeIdentify } from './identify.ts'
import { issueToken } from './issue-token.ts'
import { ensureOperator, makePeople } from './people.ts'
import { Known } from './known.ts'
import { follow, loadAll } from './load.ts'
import { makeErasing } from './erase-person.ts'
import { identityProjector } from './projector.ts'
import { makeRefusals } from './refusals.ts'
import { makeTokens } from './tokens.ts'
import type { Identity } from './types.ts'

export type IdentityOptions = {
  store: Store
  ledger: Ledger
  keys: Pick<Keys, 'token' | 'operator'>
  clock: Clock
  /** Issuer and audience of tokens, and where browsers write from: `http://127.0.0.1:7373`, no slash at the end. */
  origin: string
  /** Other origins that browsers may write from, such as `http://localhost:7373`. */
  origins?: readonly string[]
  /** True for an agent that is registered and not retired: the registry knows, and it is no neighbour of ours. */
  isAgent: (id: string) => boolean
  /** Told of rows that the ledger does not confirm. */
  log?: Pick<Logger, 'error'>
}

export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { store, ledger, clock, keys, origin, isAgent } = options
  const tokens = await makeTokens(keys, origin)
  const refusals = makeRefusals(options.log)
  const context: Context = {
    store,
    ledger,
    clock,
    tokens,
    origin,
    isAgent,
    people: new Known(),
    credentials: new Known(),
    credentialIds: new Known(),
    sessions: new Known(),
    confirmed: new Map(),
    refuse: (table, keys) => refusals.set(table, keys),
    listeners: new Set(),
  }
  await adoptRows(context)
  await loadAll(context)
  const operator = await ensureOperator(context)
  const identify = makeIdentify(context, operator)
  const origins = [origin, ...(options.origins ?? [])] as const
  return {
    operator,
    origins,
    identify,
    refused: () => refusals.all(),
    projector: () => identityProjector(store),
    follow: (entry) => follow(context, entry),
    authenticate: makeAuthenticate(identify, origins),
    ...makeCredentials(context),
    issueToken: (assertion) => issueToken(context, assertion),
    ...makePeople(context),
    ...makeErasing(context),
    signWarrant: (claims) => tokens.signWarrant(claims, clock.now()),
    jwks: () => tokens.jwks(),
    on(listener) {
      context.listeners.add(listener)
      return () => void context.listeners.delete(listener)
    },
  }
}
