/** Identity: who acts. Credentials of agents, people and their sessions, tokens and warrants. */
export { openIdentity } from './open-identity.ts'
export type { IdentityOptions } from './open-identity.ts'
export { mountIdentity } from './routes.ts'
export { identityMigrations } from './store.ts'
export { signOperatorAssertion } from './tokens.ts'
export type { Credential, Identity, IssuedSecret, Person, Session, WarrantClaims } from './types.ts'
