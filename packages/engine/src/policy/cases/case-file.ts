/** The form of `*.test.yaml`: a world, cases of who asks for what and how that is decided, and properties that hold for all requests. */
import { Risk, ToolKind } from '@ephor/contract'
import { z } from 'zod'
import { isMistake, parseApproval, parseObligations } from '../annotations.ts'
import type { ApprovalTerms, ObligationTerm } from '../annotations.ts'

const Name = z.string().min(1).max(200)
const Group = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'groups are lower-case names such as finance')
const Standing = z.enum(['new', 'good', 'watched'])
const Effect = z.enum(['permit', 'hold', 'deny'])
const Tier = z.enum(['low', 'medium', 'high', 'critical'])
const PolicyId = z.string().min(1).max(200)
const Input = z.record(z.string(), z.json())
const Count = z.int().min(0)

/** What policies can know of an agent besides its id. */
const traits = {
  owner: Name.default('team'),
  purpose: Name.default('testing'),
  groups: z.array(Group).max(50).default([]),
  tier: z.int().min(0).max(100).optional(),
  standing: Standing.optional(),
}

const TestAgent = z.strictObject({
  name: Name,
  id: z
    .string()
    .regex(/^agt_[A-Za-z0-9_.-]{1,200}$/, 'ids of agents begin with agt_')
    .optional(),
  ...traits,
})

const TestTool = z.strictObject({
  tool: z.string().regex(/^[a-z0-9][a-z0-9-]*\/.+$/, 'name the tool as server/tool'),
  kind: ToolKind,
  risk: Risk.default('medium'),
  /** JSON pointers of the arguments that are file paths. */
  paths: z.array(z.string()).max(50).default([]),
  /** The JSON Schema of its arguments. */
  input: Input.default({ type: 'object' }),
})

const Member = z.strictObject({ id: Name, groups: z.array(Group).max(50).default([]) })

export const TestWorld = z.strictObject({
  agents: z.array(TestAgent).min(1).max(1000),
  servers: z
    .array(z.strictObject({ name: Name, folders: z.array(z.string()).max(50).default([]) }))
    .min(1)
    .max(500),
  tools: z.array(TestTool).max(2000).default([]),
  people: z.array(Member).max(1000).default([]),
  services: z.array(Member).max(1000).default([]),
})

/** What is known of a call beside its arguments. */
const facts = {
  at: z.iso.datetime().optional(),
  session: z.strictObject({ calls: Count.default(0), age: Count.default(0) }).optional(),
  labels: z.array(Name).max(100).optional(),
  budgets: z.record(z.string().regex(/^[a-z][a-z0-9_]{0,39}$/), z.strictObject({ used: Count, left: z.int(), limit: Count })).optional(),
  amount: z.strictObject({ value: Count, currency: z.string().regex(/^[A-Z]{3}$/) }).optional(),
  novel: z.boolean().optional(),
  dataCategories: z.array(Name).max(100).optional(),
  paths: z.strictObject({ all: z.array(z.string()), outside: z.array(z.string()).default([]) }).optional(),
  uri: z.string().optional(),
  prompt: z.string().optional(),
  onBehalfOf: Name.optional(),
}

/** `15m` and its kin, by the rule of `@approval`; one text says all terms. */
const Terms = z.string().transform((text, context): ApprovalTerms => {
  const parsed = parseApproval(text)
  if (!isMistake(parsed)) return parsed
  context.addIssue({ code: 'custom', message: parsed.message })
  return z.NEVER
})

const ObligationText = z.string().transform((text, context): ObligationTerm => {
  const parsed = parseObligations(text)
  if (isMistake(parsed)) context.addIssue({ code: 'custom', message: parsed.message })
  else if (parsed[0] && parsed.length === 1) return parsed[0]
  else context.addIssue({ code: 'custom', message: 'write one obligation in each text' })
  return z.NEVER
})

const asked = {
  who: z.union([Name, z.strictObject(traits)], 'name an agent of the world, server:NAME, or say what an agent is like'),
  /** `server/tool`, or one of the protocol's own, such as resources/read. */
  what: Name,
  /** The tool server, where `what` does not say it. */
  server: Name.optional(),
  input: Input.default({}),
  ...facts,
  /** How many people agreed, and to which policies; to all that ask when only a number is said. */
  approved: z
    .union(
      [z.boolean(), z.int().min(1).max(20), z.strictObject({ by: z.int().min(1).max(20).default(1), policies: z.array(PolicyId).min(1) })],
      'say true, how many people agreed, or { by, policies }',
    )
    .default(false),
}

const expected = {
  expect: Effect,
  /** A policy among the reasons by its id, a part of a reason's text, or the fault code. */
  reason: z.string().min(1).optional(),
  /** The ids of all policies that are the reasons. */
  reasons: z.array(PolicyId).optional(),
  obligations: z.array(ObligationText).optional(),
  /** By policy: what it asks of people. All asks, no others. */
  approvals: z.record(PolicyId, Terms).optional(),
  risk: Tier.optional(),
}

export const TestCase = z.strictObject({ name: Name, ...asked, ...expected })

/** A case with a table: each row takes the place of what the case says under the same names. */
export const TableCase = z.looseObject({ name: Name, each: z.array(z.record(z.string(), z.json())).min(1).max(2000) })

const Agents = z.strictObject({ name: Name.optional(), group: Group.optional(), tier: z.int().optional(), standing: Standing.optional() })
const Actions = z.strictObject({ kind: ToolKind.optional(), risk: Risk.optional(), server: Name.optional(), tool: Name.optional() })

/** Requests of these agents for these actions, whatever their arguments and circumstances. An empty selection is all. */
const Requests = z.strictObject({ who: z.union([Name, Agents]).default({}), what: z.union([Name, Actions]).default({}) })
const Effects = z.union([Effect, z.array(Effect).min(1).max(2)]).transform((one) => (Array.isArray(one) ? one : [one]))

export const Property = z
  .strictObject({
    name: Name.optional(),
    never: Requests.optional(),
    always: Requests.optional(),
    be: Effects,
    /** `false`: as long as nobody has approved anything. Otherwise an approval is one of the circumstances. */
    approved: z.literal(false).optional(),
  })
  .refine(({ never, always }) => (never === undefined) !== (always === undefined), 'say either never or always')

export const isProperty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (Object.hasOwn(value, 'never') || Object.hasOwn(value, 'always'))

/** `world` by the name of another `*.test.yaml` beside it is the world of that one. */
export const CaseFile = z.strictObject({
  world: z.union([z.string().regex(/^[A-Za-z0-9][\w.-]{0,99}\.test\.yaml$/), TestWorld], 'write a world, or name the file that has it'),
  /** The time of all cases that say none. */
  at: z.iso.datetime().default('2026-01-05T12:00:00Z'),
  cases: z.array(z.unknown()).max(2000).default([]),
})

export type TestWorld = z.output<typeof TestWorld>
export type TestCase = z.output<typeof TestCase>
export type Property = z.output<typeof Property>
export type Requests = z.output<typeof Requests>
