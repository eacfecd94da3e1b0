/** Wire shapes of witnessing: who cosigns the ledger, checkpoints that others hold, and forks with their resolution. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

const Size = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const Root = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits in lower case')

export const WitnessesView = z.object({
  quorum: z.number().int().nonnegative().describe('How many have to cosign a checkpoint.'),
  items: z.array(
    z.object({
      name: z.string(),
      url: z.string(),
      size: Size.optional().describe('The largest size that it cosigned.'),
      at: z.iso.datetime().optional().describe('When it says it did, since Ephor was started.'),
      failure: z.string().optional().describe('Why its last answer was none.'),
    }),
  ),
  outage: z
    .object({ size: Size, since: z.iso.datetime() })
    .optional()
    .describe('The first checkpoint that too few cosigned within the deadline, and when it was signed.'),
})

export const ForkView = z.object({
  size: Size.describe('How many entries the other history’s checkpoint covers.'),
  root: Root,
  theirs: z.string().describe('Their signed checkpoint.'),
  ours: z.string().describe('This ledger’s at that time.'),
  source: z.string().describe('Who had it: a witness, gossip, a person, the file outside the store.'),
  detail: z.string(),
  at: z.iso.datetime(),
  resolvedAt: z.iso.datetime().optional(),
})
export type ForkView = z.output<typeof ForkView>

export const ledgerWitnessesOperations = {
  listWitnesses: {
    method: 'GET',
    path: '/v1/ledger/witnesses',
    summary: 'Lists who cosigns the ledger, and whether enough do',
    tag: 'ledger',
    who: 'person',
    response: WitnessesView,
  },
  compareCheckpoint: {
    method: 'POST',
    path: '/v1/ledger/compare',
    summary: 'Holds a checkpoint that somebody kept against the ledger; one that contradicts it stops everything',
    tag: 'ledger',
    who: 'person',
    body: z.strictObject({ checkpoint: z.string().min(1).max(65_536).describe('A signed checkpoint (c2sp.org/tlog-checkpoint).') }),
    response: z.object({
      kind: z
        .enum(['contained', 'forked', 'resolved', 'foreign'])
        .describe('The ledger begins with it; it contradicts the ledger; it does, and that was resolved; no key of this ledger signed it.'),
      size: Size.optional(),
      detail: z.string().optional(),
    }),
  },
  listForks: {
    method: 'GET',
    path: '/v1/ledger/forks',
    summary: 'Lists checkpoints that contradicted the ledger, resolved ones too',
    tag: 'ledger',
    who: 'person',
    response: z.object({ items: z.array(ForkView) }),
  },
  resolveFork: {
    method: 'POST',
    path: '/v1/ledger/fork/resolve',
    summary: 'Says that this ledger’s history is the one that counts, so that calls go on; for the operator, recorded',
    tag: 'ledger',
    who: 'person',
    body: z.strictObject({
      reason: z.string().trim().min(1).max(4000),
      accept: z.strictObject({ size: Size, root: Root }).describe('A size and this ledger’s root at it, beyond where the histories part.'),
    }),
    response: z.object({ items: z.array(ForkView) }),
  },
} satisfies Operations
