/** Backups over the API: the server writes one into its own data folder; nothing of it leaves the machine this way. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

export const BackupView = z.object({
  folder: z.string().describe('Where it is, on the machine of the server.'),
  size: z.number().int().describe('Entries of the ledger in it.'),
  files: z.number().int(),
  bytes: z.number().int(),
  keys: z.boolean().describe('Whether private keys are in it: whoever has it can then read everything and sign in this name.'),
})
export type BackupView = z.output<typeof BackupView>

export const ledgerBackupsOperations = {
  makeBackup: {
    method: 'POST',
    path: '/v1/ledger/backups',
    summary: 'Writes a consistent backup into the folder backups of the data folder, while everything goes on; for the operator',
    tag: 'ledger',
    who: 'person',
    body: z.strictObject({
      name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be lower-case letters, digits and hyphens'),
      withKeys: z.boolean().default(false),
    }),
    status: 201,
    response: BackupView,
  },
} satisfies Operations
