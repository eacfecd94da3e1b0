/** What the exit code of `ephor` means: part of the interface, so scripts can rely on it. */
import type { Fault } from '@ephor/contract'

export const EXIT = {
  ok: 0,
  /** It failed, was refused, or does not verify. */
  failed: 1,
  /** Wrong usage, or settings that are not valid. */
  usage: 2,
  /** No server answers. */
  unreachable: 3,
  /** Whoever asked may not do that. */
  forbidden: 4,
  /** The data folder or the database can't be used: in use, damaged, not writable, of another version, keys readable by others; or the port is taken. */
  machine: 5,
} as const

/** Shown at the end of `ephor --help`. */
export const EXIT_HELP = `Exit codes: 0 done · 1 failed, refused or does not verify · 2 wrong usage or settings
            3 no server answers · 4 not allowed · 5 data folder, database or port can't be used`

export function exitCodeOf({ code }: Fault): number {
  switch (code) {
    case 'SETTINGS_INVALID':
    case 'REQUEST_INVALID':
      return EXIT.usage
    case 'SERVER_UNREACHABLE':
      return EXIT.unreachable
    case 'UNAUTHENTICATED':
    case 'TOKEN_EXPIRED':
    case 'CREDENTIAL_REVOKED':
    case 'FORBIDDEN':
    case 'HOST_REFUSED':
    case 'REVIEW_SELF':
    case 'AUTHORITY_MISSING':
      return EXIT.forbidden
    case 'STORE_LOCKED':
    case 'STORE_CORRUPT':
    case 'STORE_UNAVAILABLE':
    case 'SCHEMA_OLDER':
    case 'SCHEMA_NEWER':
    case 'SCHEMA_DIFFERS':
    case 'DATABASE_UNREACHABLE':
    case 'DATABASE_SIGN_IN_REFUSED':
    case 'DATABASE_MISSING':
    case 'DATABASE_RIGHTS_MISSING':
    case 'LEDGER_FORKED':
    case 'WITNESS_ROLLED_BACK':
    case 'HOME_UNWRITABLE':
    case 'KEY_UNSAFE':
    case 'PORT_TAKEN':
      return EXIT.machine
    default:
      return EXIT.failed
  }
}
