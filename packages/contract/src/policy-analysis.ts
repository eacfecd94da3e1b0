/** Analysis of policies on the wire: what is wrong with them as they stand together, and what two versions decide differently. */
import { z } from 'zod'
import type { Operations } from './operation.ts'
import { PolicyFinding } from './policy.ts'

const Files = z
  .record(z.string().min(1).max(120), z.string().max(256 * 1024))
  .refine((files) => Object.keys(files).length <= 200, 'at most 200 files')
  .describe('Texts by file name.')

export const PolicySourceBody = z
  .union([z.strictObject({ files: Files }), z.strictObject({ version: z.string().regex(/^sha256:[0-9a-f]{64}$/) }), z.literal('active')])
  .describe('Texts, a version that Ephor keeps, or what is active.')
export type PolicySource = z.input<typeof PolicySourceBody>

const Uid = z.object({ type: z.string(), id: z.string() })

export const PolicyWitness = z
  .object({ principal: Uid, action: Uid, resource: Uid, context: z.json(), entities: z.array(z.json()) })
  .describe('A request that shows it, in Cedar’s JSON forms; it was evaluated.')
export type PolicyWitness = z.output<typeof PolicyWitness>

export const AnalysisFinding = PolicyFinding.extend({
  severity: z.enum(['error', 'warning', 'note']),
  policy: z.string().optional(),
  basis: z.enum(['proven', 'shown', 'read']).describe('Proven for every request, shown by the request beside it, or read off the text.'),
  witness: PolicyWitness.optional(),
})
export type AnalysisFinding = z.output<typeof AnalysisFinding>

const Undecided = z.object({
  policy: z.string().describe('`*` where it is not about one.'),
  question: z.string(),
  actions: z.array(z.string()),
})
const Work = z.object({
  questions: z.number().int().describe('Put to the solver.'),
  reused: z.number().int().describe('Answered by a request that was known already.'),
  classes: z.number().int().describe('Classes of requests that the same policies look at in the same way.'),
  ms: z.number(),
})

export const PolicyAnalysis = z.object({
  findings: z.array(AnalysisFinding),
  undecided: z.array(Undecided).describe('What is not known: neither proven nor shown in the time there was.'),
  work: Work,
})
export type PolicyAnalysis = z.output<typeof PolicyAnalysis>

const Effect = z.enum(['permit', 'hold', 'deny'])

export const PolicyDiff = z.object({
  differences: z.array(
    z.object({
      from: Effect,
      to: Effect,
      principal: z.string(),
      actions: z.array(z.string()),
      because: z.array(z.object({ policy: z.string(), version: z.enum(['from', 'to']), holds: z.boolean(), condition: z.string() })),
      text: z.string().describe('All of it in one sentence.'),
      witness: PolicyWitness,
    }),
  ),
  same: z
    .array(z.object({ actions: z.array(z.string()), basis: z.enum(['text', 'proven']) }))
    .describe('No request of these actions is decided otherwise: the same texts cover it, or it is proven.'),
  undecided: z.array(Undecided),
  charter: z.boolean().describe('The charters differ. What a charter takes away beside the policies is not compared.'),
  broken: z
    .object({ version: z.enum(['from', 'to']), findings: z.array(PolicyFinding) })
    .optional()
    .describe('Why nothing was compared: a version with errors decides nothing.'),
  work: Work,
})
export type PolicyDiff = z.output<typeof PolicyDiff>

export const policyAnalysisOperations = {
  analyzePolicy: {
    method: 'POST',
    path: '/v1/policy/analyze',
    summary: 'Find policies that never apply, stand in each other’s way, or can’t be approved',
    tag: 'policy',
    who: 'person',
    body: z.strictObject({ source: PolicySourceBody }),
    response: PolicyAnalysis,
  },
  diffPolicy: {
    method: 'POST',
    path: '/v1/policy/diff',
    summary: 'Say which requests two versions decide differently',
    tag: 'policy',
    who: 'person',
    body: z.strictObject({ from: PolicySourceBody, to: PolicySourceBody }),
    response: PolicyDiff,
  },
} satisfies Operations
