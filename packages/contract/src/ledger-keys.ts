/** Wire shapes of the keys that sign the ledger: the chain of them, rotation and revocation. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

const Seq = z.number().int().nonnegative()

export const LedgerKeyView = z.object({
  key: z.string().describe('The C2SP verifier key.'),
  state: z.enum(['current', 'replaced', 'revoked']),
  since: Seq.optional().describe('The entry that brought it in; unset for the first key.'),
  replacedAt: Seq.optional().describe('The entry that replaced it: it signs nothing that covers this one.'),
  revokedAbove: Seq.optional().describe('Checkpoints of it above this size are not to be trusted.'),
  reason: z.string().optional().describe('Why it was revoked.'),
})
export type LedgerKeyView = z.output<typeof LedgerKeyView>

export const RevocationReason = z.enum(['compromised', 'lost', 'retired'])

export const ledgerKeysOperations = {
  listLedgerKeys: {
    method: 'GET',
    path: '/v1/ledger/keys',
    summary: 'Lists the keys that signed the ledger, from the first to the current one',
    tag: 'ledger',
    who: 'either',
    response: z.object({ items: z.array(LedgerKeyView) }),
  },
  rotateLedgerKey: {
    method: 'POST',
    path: '/v1/ledger/keys/rotate',
    summary: 'Makes a new key and hands the ledger over to it, in an entry that the old key signs; for the operator',
    tag: 'ledger',
    who: 'person',
    response: LedgerKeyView,
  },
  revokeLedgerKey: {
    method: 'POST',
    path: '/v1/ledger/keys/revoke',
    summary: 'Revokes a replaced key: its checkpoints above a size are not to be trusted; for the operator',
    tag: 'ledger',
    who: 'person',
    body: z.strictObject({
      key: z.string().min(1).max(1000).describe('The verifier key.'),
      size: Seq.max(Number.MAX_SAFE_INTEGER).describe('What it signed up to this size stays good.'),
      reason: RevocationReason,
    }),
    response: LedgerKeyView,
  },
} satisfies Operations
