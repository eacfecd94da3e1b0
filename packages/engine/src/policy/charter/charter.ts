/** The charter: who owns the policies and may change them, how risk is counted, how far agents may go alone, and their budgets. */
import { z } from 'zod'

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90d` to ms. */
const Duration = z
  .string()
  .regex(/^[1-9]\d{0,4}[smhd]$/, 'write a whole number and a unit, such as 90d, 24h, 30m or 10s')
  .transform((text) => Number(text.slice(0, -1)) * (UNITS[text.slice(-1)] ?? Number.NaN))

const GROUP = /^[a-z][a-z0-9-]{0,62}$/

/** A person or a group of people. */
const Someone = z
  .string()
  .regex(/^(?:per_[A-Za-z0-9]{1,40}|group:[a-z][a-z0-9-]{0,62})$/, 'name a person by id (per_…) or a group (group:…)')
const SomeAgent = z
  .string()
  .regex(/^(?:agt_[A-Za-z0-9]{1,40}|group:[a-z][a-z0-9-]{0,62})$/, 'name an agent by id (agt_…) or a group (group:…)')
/** A tool (`server/tool`), one of the protocol's own actions, a kind (`money`), a risk class (`risk:high`), or `tools/call` for all tools. */
const SomeAction = z.string().min(1).max(400)
const Share = z.number().min(0).max(1)
const Points = z.int().min(0).max(1000)
/** Sums of these stay exact in every number they meet. */
const Quantity = z.int().min(1).max(Number.MAX_SAFE_INTEGER)
const Name = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'use a lower-case name of letters, digits and _, such as payments_day')
const Label = z.string().min(1).max(100)
const Currency = z.string().regex(/^[A-Z]{3}$/, 'write the currency as three capital letters (ISO 4217), such as EUR')

export const Tier = z.enum(['low', 'medium', 'high', 'critical'])
export type Tier = z.output<typeof Tier>

const Mode = z.enum(['observe', 'confirm-each', 'confirm-risky', 'autonomous'])

/** Who reviews and publishes a kind of change. The author of a change never counts among its reviewers. */
const Authority = z.strictObject({
  review: z.array(Someone).min(1).max(100),
  publish: z.array(Someone).min(1).max(100),
  /** How many of them, at least, besides the author. */
  reviewers: z.int().min(1).max(10).default(1),
})

/** Points by what a call is; what is not named has the value here. A score is their sum. */
const RiskTable = z.strictObject({
  kind: z
    .strictObject({
      read: Points.default(0),
      write: Points.default(10),
      external: Points.default(20),
      destructive: Points.default(30),
      money: Points.default(30),
      identity: Points.default(40),
    })
    .prefault({}),
  class: z
    .strictObject({ low: Points.default(0), medium: Points.default(10), high: Points.default(25), critical: Points.default(45) })
    .prefault({}),
  /** By data category; one that is not named counts as `other`. */
  data: z
    .record(Label, Points)
    .prefault({})
    .transform((named): Record<string, number> => ({ other: 10, personal: 15, financial: 15, health: 25, secret: 30, ...named })),
  /** By currency: the highest band that the amount reaches. Other currencies than those named count as the highest band there is. */
  amount: z
    .record(
      Currency,
      z
        .array(z.strictObject({ from: z.int().min(0), points: Points }))
        .min(1)
        .max(20),
    )
    .prefault({}),
  /** The agent was never permitted this tool before. */
  novel: Points.default(10),
  standing: z.strictObject({ good: Points.default(0), new: Points.default(10), watched: Points.default(25) }).prefault({}),
  label: z.record(Label, Points).prefault({}),
})

/** What of a tool's calls only people know: where its amount stands, and which data it touches. */
const ToolTerms = z.strictObject({
  amount: z
    .strictObject({
      /** JSON Pointer (RFC 6901) of the argument. */
      at: z
        .string()
        .regex(/^(?:\/(?:[^~/]|~[01])*)+$/, 'write a JSON pointer such as /amount')
        .max(400),
      /** The currency, or the JSON pointer of the argument that says it. */
      currency: z.union(
        [
          Currency,
          z
            .string()
            .regex(/^(?:\/(?:[^~/]|~[01])*)+$/)
            .max(400),
        ],
        'write a currency such as EUR, or a JSON pointer such as /currency',
      ),
      /** Digits after the point that make a minor unit: 2 where the tool takes 12.50, 0 where it takes 1250. */
      decimals: z.int().min(0).max(4).default(0),
    })
    .optional(),
  data: z.array(Label).max(20).default([]),
})

const budgetOf = {
  per: z.enum(['agent', 'session', 'person']),
  period: z.enum(['hour', 'day', 'week']),
  limit: Quantity,
  covers: z.array(SomeAction).min(1).max(200).default(['tools/call']),
  /** Only these agents; all when absent. */
  agents: z.array(SomeAgent).min(1).max(200).optional(),
}

/** Periods begin on the hour, at midnight, and on Monday at midnight, in UTC. */
const Budget = z.discriminatedUnion('measure', [
  z.strictObject({ measure: z.literal('calls'), ...budgetOf }),
  /** `limit` in minor units, such as cents. */
  z.strictObject({ measure: z.literal('money'), currency: Currency, ...budgetOf }),
  /** Canonical JSON of arguments and results. `reserve`: what the result of a call is taken to need until its outcome says. */
  z.strictObject({ measure: z.literal('bytes'), reserve: Quantity, ...budgetOf }),
  /** `reserve`: what a call is taken to need until its outcome says. */
  z.strictObject({ measure: z.literal('tokens'), reserve: Quantity, ...budgetOf }),
])
export type Budget = z.output<typeof Budget>

const Autonomy = z.strictObject({
  default: Mode.default('confirm-risky'),
  /** What it takes to confirm a call that is held by its mode. */
  confirm: z
    .strictObject({ group: z.string().regex(GROUP).optional(), quorum: z.int().min(1).max(10).default(1), deadline: Duration.optional() })
    .prefault({}),
  /** Of several rules that fit a call, the strictest holds; where none fits, the default. */
  rules: z
    .array(
      z
        .strictObject({
          mode: Mode,
          agents: z.array(SomeAgent).min(1).max(200).optional(),
          actions: z.array(SomeAction).min(1).max(200).optional(),
        })
        .refine(({ agents, actions }) => agents !== undefined || actions !== undefined, 'say which agents, which actions, or both'),
    )
    .max(200)
    .default([]),
})

/** What ends a rollout by itself, compared with the version that was active before. Shares are of decisions. */
const Rollback = z.strictObject({
  /** Nothing is judged before this many decisions of the new version. */
  decisions: z.int().min(1).max(1_000_000).default(50),
  /** How much greater the share of held, denied, or failed decisions may be than before. */
  holds: Share.default(0.2),
  denials: Share.default(0.2),
  errors: Share.default(0),
  /** p99 of deciding, in ms; not judged when absent. */
  latency: z.int().min(1).max(60_000).optional(),
  /** Share of its decisions that hold what the version before permits: it asks too much. Not judged when absent. */
  escalations: Share.optional(),
})

export const Charter = z.strictObject({
  /** Who answers for the policies. */
  owners: z.array(Someone).max(100).default([]),
  /** Absent: whoever can write the policy folder changes the policies. */
  authorities: z.strictObject({ policy: Authority, charter: Authority }).optional(),
  review: z.strictObject({ every: Duration, last: z.iso.date('write the date of the last review, such as 2026-11-01') }).optional(),
  /** Lowest score of each tier; below `medium` is low. */
  thresholds: z
    .strictObject({ medium: Points.default(20), high: Points.default(45), critical: Points.default(70) })
    .prefault({})
    .refine(({ medium, high, critical }) => medium <= high && high <= critical, 'the scores must rise: medium, high, critical'),
  /** `confirm`: agents that confirm what is risky are held from this tier on. `refuse`: nobody goes there. */
  appetite: z.strictObject({ confirm: Tier.optional(), refuse: Tier.optional() }).prefault({}),
  risk: RiskTable.prefault({}),
  tools: z.record(z.string().min(3).max(400), ToolTerms).prefault({}),
  autonomy: Autonomy.prefault({}),
  budgets: z.record(Name, Budget).prefault({}),
  /** `required`: a bundle whose tests fail, or that has none, is not published. */
  tests: z
    .strictObject({
      required: z.boolean().default(false),
      /** The share of policies and conditions that the cases have to reach: tests that reach less fail. */
      coverage: Share.optional(),
    })
    .prefault({}),
  rollout: z
    .strictObject({
      /** How long a version is evaluated beside the active one before it may go live. */
      shadow: Duration.optional(),
      /** Per cent of sessions that get it first, and for how long at least. */
      canary: z.strictObject({ percent: z.int().min(1).max(99), for: Duration }).optional(),
      rollback: Rollback.prefault({}),
    })
    .prefault({}),
})
/** Times in ms. */
export type Charter = z.output<typeof Charter>

/** Where a bundle has none: nothing is added to what the policies say, and the folder changes them as it is. */
export const defaultCharter: Charter = Charter.parse({})
