/** Identity: who acts. Credentials of agents, people and their sessions, tokens and warrants. */
export type { Credential, Identity, IssuedSecret, Person, Session, WarrantClaims } from './types.ts'
