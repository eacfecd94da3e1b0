/** Wire shapes of erasure, retention and legal hold: what content goes when, who says so, and what stays provable. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

const Subject = z
  .string()
  .regex(/^(agt|per)_[0-9a-hjkmnp-tv-z]{26}$/, 'must be the id of an agent (agt_…) or a person (per_…)')
  .describe('Whose payloads: the id of an agent or a person.')
const Name = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be lower-case letters, digits and hyphens, beginning with a letter')
const Counts = z.record(z.string(), z.number().int().nonnegative())

export const ErasureReason = z.enum(['subject-request', 'consent-withdrawn', 'unlawful', 'no-longer-needed', 'other'])
export type ErasureReason = z.output<typeof ErasureReason>

export const RetentionRules = z.strictObject({
  classes: z
    .record(Name, z.array(z.string().regex(/^\w{1,40}$/, 'must be the name of a kind of payload')).min(1))
    .default({})
    .describe('Kinds of payload that are kept equally long: input, result, facts, note, … A kind that is in none is in the class other.'),
  jurisdictions: z
    .record(Name, z.strictObject({ subjects: z.array(Subject).default([]), groups: z.array(z.string().max(100)).default([]) }))
    .default({})
    .describe('Subjects by their ids, and people by their groups.'),
  rules: z
    .array(
      z.strictObject({
        class: Name.optional(),
        jurisdiction: Name.optional(),
        tenant: z.string().max(40).optional(),
        keep: z.string().regex(/^(forever|[1-9][0-9]{0,4}d)$/, 'must be a number of days such as 90d, or forever'),
      }),
    )
    .max(200)
    .default([])
    .describe('The first that fits counts; what none fits is kept for ever.'),
})
export type RetentionRules = z.output<typeof RetentionRules>

export const HoldView = z.object({
  id: z.string().describe('`hld_…`'),
  subject: z.string().optional().describe('Only what belongs to this one; everybody when absent.'),
  since: z.iso.datetime().optional(),
  until: z.iso.datetime().optional(),
  placedAt: z.iso.datetime(),
  placedBy: z.string(),
  reason: z.string().optional().describe('Absent when it was erased itself.'),
})
export type HoldView = z.output<typeof HoldView>

export const NamingRow = z.object({
  room: z.string(),
  what: z.string().describe('What it says of the subject.'),
  stays: z.string().optional().describe('Why it stays; absent when it goes.'),
  fault: z.enum(['LEGAL_HOLD', 'STILL_ACTING']).optional().describe('What keeps it, where that can end.'),
})
export type NamingRow = z.output<typeof NamingRow>

export const ErasurePreview = z.object({
  subject: z.string(),
  goes: z.object({
    keys: z.number().int().describe('Data keys that are destroyed.'),
    payloads: Counts.describe('By the name of the payload.'),
    entries: Counts.describe('By the type of the entry that they belong to.'),
    bytes: z.number().int().describe('Of sealed content.'),
    from: z.iso.datetime().optional(),
    to: z.iso.datetime().optional(),
  }),
  held: z.array(z.object({ hold: z.string(), keys: z.number().int() })).describe('What a legal hold keeps: it is not erased.'),
  names: z.array(NamingRow).describe('Names of the subject, and what else is known of it outside the ledger.'),
  stays: z.object({
    entries: z.number().int().describe('Entries of the ledger: all of them, with their proofs.'),
    commitments: z.number().int().describe('Salted commitments to what goes; without the salt they say nothing.'),
  }),
})
export type ErasurePreview = z.output<typeof ErasurePreview>

export const ErasureView = z.object({
  entry: z.string().describe('The id of the ledger entry that says so.'),
  at: z.iso.datetime(),
  type: z.enum(['ledger.erased', 'ledger.expired']),
  subject: z.string().optional().describe('Of an erasure.'),
  reason: z.string().optional(),
  by: z.string(),
  keys: z.number().int(),
  payloads: Counts.optional(),
})
export type ErasureView = z.output<typeof ErasureView>

export const ErasureDone = z.object({
  entries: z.array(z.string()).describe('Ids of the entries that say so; empty when there was nothing to erase.'),
  keys: z.number().int(),
  payloads: Counts,
  held: ErasurePreview.shape.held,
  names: z.array(NamingRow).describe('What was named before: what went, and what stayed why.'),
  overwritten: z.boolean().describe('Whether what was destroyed is overwritten in the database and gone from its write-ahead log.'),
})
export type ErasureDone = z.output<typeof ErasureDone>

export const RetentionView = z.object({
  rules: RetentionRules,
  version: z.number().int().describe('Changes of rules and holds, erasures and expiries so far.'),
  swept: z.string().optional().describe('The last day that was looked at for what is past.'),
  keys: z.array(z.object({ class: z.string(), keys: z.number().int(), oldest: z.string().optional() })).describe('What is kept, by class.'),
})
export type RetentionView = z.output<typeof RetentionView>

const Holding = z.strictObject({
  subject: Subject.optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  reason: z.string().min(1).max(2000).describe('Kept sealed under the key of whoever places the hold.'),
})

export const ledgerErasureOperations = {
  previewErasure: {
    method: 'POST',
    path: '/v1/ledger/erasures/preview',
    summary: 'Shows what an erasure would take and what would stay; changes nothing',
    tag: 'ledger',
    who: 'person',
    body: z.strictObject({ subject: Subject }),
    response: ErasurePreview,
  },
  eraseSubject: {
    method: 'POST',
    path: '/v1/ledger/erasures',
    summary: 'Destroys the keys of all that is sealed for a subject and not held, and its names where it acts no more; for the operator',
    tag: 'ledger',
    who: 'person',
    body: z.strictObject({ subject: Subject, reason: ErasureReason }),
    status: 201,
    response: ErasureDone,
  },
  listErasures: {
    method: 'GET',
    path: '/v1/ledger/erasures',
    summary: 'Lists erasures and expiries, the last first',
    tag: 'ledger',
    who: 'person',
    query: z.object({ limit: z.coerce.number().int().min(1).max(200).default(50) }),
    response: z.object({ items: z.array(ErasureView) }),
  },
  placeHold: {
    method: 'POST',
    path: '/v1/ledger/holds',
    summary: 'Places a legal hold: what it covers is neither erased nor expires; for the operator',
    tag: 'ledger',
    who: 'person',
    body: Holding,
    status: 201,
    response: HoldView,
  },
  listHolds: {
    method: 'GET',
    path: '/v1/ledger/holds',
    summary: 'Lists the legal holds in force',
    tag: 'ledger',
    who: 'person',
    response: z.object({ items: z.array(HoldView) }),
  },
  releaseHold: {
    method: 'POST',
    path: '/v1/ledger/holds/{id}/release',
    summary: 'Releases a legal hold; for the operator',
    tag: 'ledger',
    who: 'person',
    params: z.object({ id: z.string().max(40) }),
    response: z.object({ id: z.string() }),
  },
  getRetention: {
    method: 'GET',
    path: '/v1/ledger/retention',
    summary: 'Shows the retention rules and what is kept',
    tag: 'ledger',
    who: 'person',
    response: RetentionView,
  },
  setRetention: {
    method: 'PUT',
    path: '/v1/ledger/retention',
    summary: 'Replaces the retention rules; for the operator',
    tag: 'ledger',
    who: 'person',
    body: RetentionRules,
    response: z.object({ version: z.number().int() }),
  },
  sweepRetention: {
    method: 'POST',
    path: '/v1/ledger/retention/sweeps',
    summary: 'Expires now what is past, also when the clock is far ahead of the last sweep; for the operator',
    tag: 'ledger',
    who: 'person',
    response: z.object({ keys: z.number().int(), entries: z.array(z.string()) }),
  },
} satisfies Operations
