/** The faults of the store and the ledger: a part of the closed list in `faults.ts`. */
import type { FaultRow } from './faults.ts'

export const LEDGER_FAULTS = {
  STORE_UNAVAILABLE: {
    status: 503,
    title: 'The store cannot write, so nothing is permitted',
    advice: 'Check disk space and permissions: ephor doctor.',
  },
  STORE_CORRUPT: { status: 503, title: 'The store is damaged', advice: 'Restore a backup; keep the damaged file for examination.' },
  STORE_LOCKED: {
    status: 503,
    title: 'Another Ephor runs on this data folder',
    advice: 'Stop it, or choose another folder with EPHOR_HOME.',
  },
  SCHEMA_OLDER: {
    status: 503,
    title: 'The store is from an older Ephor',
    advice: 'Back it up, then bring it up to date: ephor migrate.',
  },
  SCHEMA_NEWER: {
    status: 503,
    title: 'The store is from a newer Ephor',
    advice: 'Run the version that it was last opened with, or a later one; there is no way back.',
  },
  SCHEMA_DIFFERS: {
    status: 503,
    title: 'The store was made by another program than this one',
    advice: 'Open it with the release it was made with: the detail names what differs.',
  },
  DATABASE_UNREACHABLE: {
    status: 503,
    title: 'PostgreSQL does not answer',
    advice: 'Check host and port in store.url, and that the server runs and lets this machine in.',
  },
  DATABASE_SIGN_IN_REFUSED: {
    status: 503,
    title: 'PostgreSQL refused the sign-in',
    advice: 'Check role and password in store.url, and pg_hba.conf of the server.',
  },
  DATABASE_MISSING: {
    status: 503,
    title: 'There is no such database',
    advice: 'Create it, owned by the role in store.url: CREATE DATABASE name OWNER role.',
  },
  DATABASE_RIGHTS_MISSING: {
    status: 503,
    title: 'The role may not do this in the database',
    advice: 'Make the role the owner of database and tables, or run ephor migrate as the owner and grant the role its rights.',
  },
  TENANT_INVALID: {
    status: 422,
    title: 'The name of the tenant is not valid',
    advice: 'Use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter or a digit.',
  },
  SIGNER_UNAVAILABLE: {
    status: 503,
    title: 'The ledger’s checkpoint can’t be signed now',
    advice: 'Entries are kept all the same, and signing is tried again: see the log for why the key can’t be used.',
  },
  LEDGER_FORKED: {
    status: 503,
    title: 'The ledger does not match its last known checkpoint',
    advice: 'Do not continue on this copy: compare it with your last export, then restore the right one.',
  },
  WITNESS_MISSING: {
    status: 503,
    title: 'The witnesses did not cosign the record of this call in time, so it did not run',
    advice: 'See which ones do not answer: ephor ledger witnesses. Then make the call again.',
  },
  WITNESS_ROLLED_BACK: {
    status: 503,
    title: 'The state of this witness is older than what it has signed',
    advice: 'Put the newer state back. Without it, start a new witness with a new key and name, and tell the logs.',
  },
  SEARCH_BEHIND: {
    status: 503,
    title: 'The search index has not caught up with the ledger',
    advice: 'It is being built: ask again in a minute. Exports and lists need no index.',
  },
  EXPORT_TOO_LARGE: {
    status: 413,
    title: 'Too much for one bundle of evidence',
    advice: 'Choose a shorter time or more filters, or export the ledger as a folder: that has no limit.',
  },
  LEDGER_INVALID: { status: 422, title: 'The ledger does not verify', advice: 'See the detail for the first place that is wrong.' },
  ENTRY_TOO_LARGE: {
    status: 413,
    title: 'The ledger entry is larger than 65,535 bytes',
    advice: 'Shorten names, reasons or the list of parents.',
  },
  LEGAL_HOLD: {
    status: 409,
    title: 'A legal hold keeps this',
    advice: 'Nothing that is held was destroyed. See who holds what: ephor ledger hold list.',
  },
  STILL_ACTING: {
    status: 409,
    title: 'Whoever is to be erased still acts',
    advice: 'Retire the agent; take the person out of all groups, close their sessions and revoke what acts for them. Then erase again.',
  },
  RETENTION_INVALID: {
    status: 422,
    title: 'The retention rules are not valid',
    advice: 'Correct what the detail names; the rules in force are unchanged.',
  },
  BACKUP_INVALID: {
    status: 422,
    title: 'The backup is not whole',
    advice: 'It was cut or changed: use another one. Nothing of this installation was touched.',
  },
  TIMESTAMP_REFUSED: {
    status: 502,
    title: 'No timestamp of the checkpoint could be had',
    advice: 'Check ledger.timestamps.url and ledger.timestamps.ca; it is tried again.',
  },
  MIRROR_DIFFERS: {
    status: 409,
    title: 'The mirror holds something that this ledger contradicts',
    advice: 'Nothing there was overwritten. Compare the two: ephor-verify with --earlier, and who else may write there.',
  },
  MIRROR_UNAVAILABLE: {
    status: 502,
    title: 'The mirror cannot be read or written',
    advice: 'Check bucket, region, endpoint and credentials; it is tried again.',
  },
} as const satisfies Record<string, FaultRow>
