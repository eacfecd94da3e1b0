/** Wire shapes of the ledger: its head, its entries, and proofs that they are in it. */
import { z } from 'zod'
import type { Operations } from './operation.ts'
import { PageQuery, pageOf } from './page.ts'

const Seq = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).describe('The place in the ledger, from 0.')

export const HeadView = z.object({
  origin: z.string().describe('The name of the log.'),
  verifierKey: z.string().describe('The C2SP verifier key that checks its checkpoints. Keep it apart from the server.'),
  size: z.number().int().nonnegative().describe('Entries that the checkpoint covers.'),
  root: z.string().describe('RFC 6962 root hash, hexadecimal.'),
  checkpoint: z.string().describe('The signed checkpoint (c2sp.org/tlog-checkpoint).'),
})

export const EntryView = z.object({
  seq: z.number().int().nonnegative(),
  leafHash: z.string().describe('RFC 6962 leaf hash of the canonical body, hexadecimal.'),
  body: z.record(z.string(), z.json()).describe('The body; its RFC 8785 form is what is hashed. Holds no personal data.'),
})

export const ledgerOperations = {
  getLedgerHead: {
    method: 'GET',
    path: '/v1/ledger/head',
    summary: 'The signed checkpoint over everything acknowledged so far',
    tag: 'ledger',
    who: 'either',
    response: HeadView,
  },
  listLedgerEntries: {
    method: 'GET',
    path: '/v1/ledger/entries',
    summary: 'Lists entries in order',
    tag: 'ledger',
    who: 'person',
    query: PageQuery,
    response: pageOf(EntryView),
  },
  getLedgerEntry: {
    method: 'GET',
    path: '/v1/ledger/entries/{seq}',
    summary: 'Shows one entry',
    tag: 'ledger',
    who: 'person',
    params: z.object({ seq: Seq }),
    response: EntryView,
  },
  getLedgerProof: {
    method: 'GET',
    path: '/v1/ledger/entries/{seq}/proof',
    summary: 'Proves that an entry is in the ledger; for agents too, who check their receipts with it',
    tag: 'ledger',
    who: 'either',
    params: z.object({ seq: Seq }),
    response: z.object({ proof: z.string().describe('A c2sp.org/tlog-proof@v1 text: hashes and the checkpoint, nothing of the entry.') }),
  },
} satisfies Operations
