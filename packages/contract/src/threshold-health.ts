/** Threshold health on the wire: reports of harm, and where people are asked too often or too seldom. */
import { z } from 'zod'
import { ReceiptView } from './decisions.ts'
import type { Operations } from './operation.ts'

const Suggestion = z.object({
  text: z.string(),
  files: z
    .record(z.string(), z.string())
    .optional()
    .describe('All texts with the change in them, to propose; nothing proposes them by itself.'),
})

export const ThresholdHealth = z.object({
  since: z.iso.datetime(),
  until: z.iso.datetime(),
  decisions: z.number().int(),
  asked: z
    .array(
      z.object({
        policy: z.string(),
        holds: z.number().int(),
        approved: z.number().int(),
        denied: z.number().int(),
        undecided: z.number().int().describe('Nobody decided in time, or the call was withdrawn.'),
        pending: z.number().int(),
        medianMs: z.number().optional().describe('From the question to the decision.'),
        approvers: z.number().int().describe('Different people who approved.'),
        suggestion: Suggestion.optional(),
      }),
    )
    .describe('The policies that ask people, the most holds first.'),
  harmed: z
    .array(
      z.object({
        action: z.string(),
        permits: z.number().int(),
        harmful: z.number().int(),
        policies: z.array(z.string()).describe('Those that permitted what did harm.'),
        decisions: z.array(z.string()).describe('The first 20.'),
        suggestion: Suggestion.optional(),
      }),
    )
    .describe('Actions whose permits were reported as harmful, the most harm first.'),
})
export type ThresholdHealth = z.output<typeof ThresholdHealth>

const ReviewsView = z.object({
  since: z.iso.datetime(),
  due: z
    .array(
      z.object({
        decision: z.string(),
        at: z.iso.datetime(),
        agent: z.string(),
        action: z.string(),
        policy: z.string().describe('The permit whose @obligation("review:…") asks for it.'),
        percent: z.number(),
      }),
    )
    .describe('Permits of the sample that nobody has reported on, oldest first; at most 200.'),
  more: z.number().int().describe('How many are due beyond these.'),
  done: z.number().int(),
})

export const thresholdHealthOperations = {
  listReviews: {
    method: 'GET',
    path: '/v1/policy/reviews',
    summary: 'Lists permits that were sampled for a look afterwards; a report on one ends its review',
    tag: 'policy',
    who: 'person',
    query: z.object({ since: z.iso.datetime().optional().describe('30 days ago unless said.') }),
    response: ReviewsView,
  },
  reportDecision: {
    method: 'POST',
    path: '/v1/decisions/{id}/reports',
    summary: 'Puts on record whether what was permitted did harm; what a person says later takes its place',
    tag: 'decisions',
    who: 'person',
    params: z.object({ id: z.string().max(40) }),
    body: z.strictObject({ harmful: z.boolean(), note: z.string().trim().min(1).max(4000).optional().describe('Kept encrypted.') }),
    response: z.object({ decision: z.string(), harmful: z.boolean(), receipt: ReceiptView }),
  },
  showThresholdHealth: {
    method: 'GET',
    path: '/v1/policy/threshold-health',
    summary: 'Shows holds that are always approved, and actions that did harm though they were permitted',
    tag: 'policy',
    who: 'person',
    query: z.object({ since: z.iso.datetime().optional().describe('30 days ago unless said.') }),
    response: ThresholdHealth,
  },
} satisfies Operations
