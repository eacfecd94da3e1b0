/** Questions to policies on the wire: whether they decide as their tests say, why a call is decided so, who may do what. */
import { z } from 'zod'
import { Effect, ObligationView, ReasonView, RiskView } from './decisions.ts'
import type { Operations } from './operation.ts'
import { PolicyFinding } from './policy.ts'
import { PolicySourceBody } from './policy-analysis.ts'

const Name = z.string().min(1).max(400)
const Count = z.number().int().min(0)

const CaseResult = z.object({
  file: z.string(),
  line: z.number().int(),
  column: z.number().int(),
  name: z.string(),
  ok: z.boolean(),
  expected: z.string(),
  got: z.string(),
  reasons: z.array(ReasonView),
  ms: z.number(),
})

const Coverage = z.object({
  share: z.number().describe('Of policies satisfied, and conditions seen to hold and not to hold: 0 to 1.'),
  policies: z.array(
    z.object({
      policy: z.string(),
      file: z.string(),
      line: z.number().int(),
      considered: z.number().int(),
      satisfied: z.number().int(),
      conditions: z.array(z.object({ kind: z.enum(['when', 'unless']), text: z.string(), held: z.boolean(), failed: z.boolean() })),
    }),
  ),
  uncovered: z.array(z.string()).describe('Tools that no policy speaks of.'),
})

export const PolicyTests = z.object({
  ok: z.boolean(),
  results: z.array(CaseResult),
  findings: z.array(PolicyFinding).describe('What is wrong with the files of cases.'),
  coverage: Coverage,
})
export type PolicyTests = z.output<typeof PolicyTests>

const AskView = z.object({
  policy: z.string(),
  reason: z.string(),
  quorum: z.number().int(),
  deadlineMs: z.number().optional(),
  group: z.string().optional(),
  escalate: z.string().optional(),
})

export const PolicyExplanation = z.object({
  principal: z.object({ type: z.string(), id: z.string() }),
  action: z.string(),
  server: z.string(),
  effect: Effect,
  fault: z.string().optional(),
  detail: z.string().optional(),
  version: z.string().optional().describe('Of the policies.'),
  world: z.string().optional().describe('The digest of the agents, servers and tools that it was decided about.'),
  reasons: z.array(ReasonView),
  obligations: z.array(ObligationView),
  asks: z.array(AskView),
  risk: RiskView.optional(),
  mode: z.string().optional(),
  policies: z
    .array(
      z.object({
        policy: z.string(),
        effect: z.enum(['permit', 'forbid', 'hold']),
        file: z.string(),
        line: z.number().int(),
        reason: z.string(),
        outcome: z.enum(['satisfied', 'unsatisfied', 'error']),
        error: z.string().optional(),
        conditions: z.array(
          z.object({
            kind: z.enum(['when', 'unless']),
            text: z.string(),
            held: z.boolean().optional().describe('Whether it let the policy pass; absent where one before it did not.'),
            reads: z.array(z.object({ path: z.string(), value: z.json().optional() })).describe('What it looked at, and what was there.'),
          }),
        ),
      }),
    )
    .describe('Every policy whose scope covers the call.'),
  elsewhere: z.array(z.string()).describe('Policies about other agents, tools or servers.'),
  budgets: z.array(
    z.object({
      budget: z.string(),
      per: z.string(),
      period: z.string(),
      unit: z.string(),
      limit: z.number(),
      used: z.number().optional(),
      left: z.number().optional(),
    }),
  ),
  recorded: z
    .object({ effect: z.string(), fault: z.string().optional() })
    .optional()
    .describe('What came of it then: an approval, an obligation or a budget may have decided after the policies.'),
  same: z.boolean().optional().describe('Whether policy says today, from the record, what it said then.'),
})
export type PolicyExplanation = z.output<typeof PolicyExplanation>

const Facts = z
  .strictObject({
    labels: z.array(Name).max(100),
    amount: z.strictObject({ value: Count, currency: z.string().regex(/^[A-Z]{3}$/) }),
    novel: z.boolean(),
    dataCategories: z.array(Name).max(100),
    session: z.strictObject({ calls: Count, age: Count.describe('Seconds.') }),
    budgets: z.record(z.string().regex(/^[a-z][a-z0-9_]{0,39}$/), z.strictObject({ used: Count, left: z.number().int(), limit: Count })),
    at: z.iso.datetime(),
    uri: z.string().max(4000),
    name: z.string().max(400),
    onBehalfOf: Name,
  })
  .partial()

const Recorded = z.strictObject({ decision: Name.describe('`dec_…`') })
const Asked = z.strictObject({
  who: Name.describe('An agent by its id or name, or `server:NAME`.'),
  what: Name.describe('`server/tool`, or one such as resources/read.'),
  server: Name.optional(),
  input: z.record(z.string(), z.json()).default({}),
  facts: Facts.default({}),
  source: PolicySourceBody.default('active'),
})

const Standing = z.object({
  id: z.string(),
  name: z.string(),
  action: z.string(),
  server: z.string(),
  effect: z.enum(['permit', 'hold', 'deny', 'depends']).describe('`depends`: on arguments, or on what is known of the call.'),
  possible: z.array(Effect),
  because: z.array(z.string()),
  dependsOn: z.array(z.string()),
})
export const PolicyStandings = z.object({ items: z.array(Standing) })
export type PolicyStandings = z.output<typeof PolicyStandings>

export const policyQuestionsOperations = {
  testPolicy: {
    method: 'POST',
    path: '/v1/policy/test',
    summary: 'Run the cases and properties that texts bring with them',
    tag: 'policy',
    who: 'person',
    body: z.strictObject({ source: PolicySourceBody }),
    response: PolicyTests,
  },
  explainPolicy: {
    method: 'POST',
    path: '/v1/policy/explain',
    summary: 'Say why a call was, or would be, decided as it is',
    tag: 'policy',
    who: 'person',
    body: z.union([Recorded, Asked]),
    response: PolicyExplanation,
  },
  whoCan: {
    method: 'GET',
    path: '/v1/policy/who-can',
    summary: 'List what each agent’s calls of an action come to',
    tag: 'policy',
    who: 'person',
    query: z.object({ action: Name, server: Name.optional() }),
    response: PolicyStandings,
  },
  whatCan: {
    method: 'GET',
    path: '/v1/policy/what-can',
    summary: 'List what an agent’s calls of each action come to',
    tag: 'policy',
    who: 'person',
    query: z.object({ agent: Name }),
    response: PolicyStandings,
  },
} satisfies Operations
