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
  TENANT_INVALID: {
    status: 422,
    title: 'The name of the tenant is not valid',
    advice: 'Use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter or a digit.',
  },
  LEDGER_FORKED: {
    status: 503,
    title: 'The ledger does not match its last known checkpoint',
    advice: 'Do not continue on this copy: compare it with your last export, then restore the right one.',
  },
  LEDGER_INVALID: { status: 422, title: 'The ledger does not verify', advice: 'See the detail for the first place that is wrong.' },
  ENTRY_TOO_LARGE: {
    status: 413,
    title: 'The ledger entry is larger than 65,535 bytes',
    advice: 'Shorten names, reasons or the list of parents.',
  },
} as const satisfies Record<string, FaultRow>
