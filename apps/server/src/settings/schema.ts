/** The settings: one schema for the file, the environment and the flags, with the words that help and the guide show. */
import { z } from 'zod'
import { WitnessList } from '../witness/witness-settings.ts'
import { databaseUrl } from './database-url.ts'
import { sinks } from './sinks.ts'

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A length of time as people write it: `500ms`, `60s`, `5m`, `2h`, `7d`; a bare number is milliseconds. Parsed to milliseconds. */
const duration = z
  .union([z.string(), z.number()])
  .transform((value, context) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(String(value).trim())
    if (!match) {
      context.addIssue({ code: 'custom', message: 'must be a length of time such as 500ms, 60s, 5m or 2h' })
      return z.NEVER
    }
    return Number(match[1]) * UNITS[(match[2] ?? 'ms') as keyof typeof UNITS]
  })
  .pipe(z.number().int('must be whole milliseconds').min(0).max(2_147_483_647, 'must be at most 24 days'))

/** A size as people write it: `64KiB`, `1MiB`; a bare number is bytes. Parsed to bytes. */
const size = z
  .union([z.string(), z.number()])
  .transform((value, context) => {
    const match = /^(\d+)\s*(B|KiB|MiB)?$/i.exec(String(value).trim())
    if (!match) {
      context.addIssue({ code: 'custom', message: 'must be a size such as 65536, 64KiB or 1MiB' })
      return z.NEVER
    }
    return Number(match[1]) * { b: 1, kib: 1024, mib: 1024 * 1024 }[(match[2] ?? 'B').toLowerCase() as 'b' | 'kib' | 'mib']
  })
  .pipe(
    z
      .number()
      .int()
      .min(1024, 'must be at least 1 KiB')
      .max(64 * 1024 * 1024, 'must be at most 64 MiB'),
  )

/** The environment and flags carry text only. */
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')], { error: 'must be true or false' })
const whole = (min: number, max: number) =>
  z.coerce
    .number({ error: 'must be a number' })
    .int('must be a whole number')
    .min(min, `must be at least ${min}`)
    .max(max, `must be at most ${max}`)
const list = z.union([
  z.array(z.string()),
  z.string().transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  ),
])

export const Settings = z.strictObject({
  home: z.string().min(1).default('.ephor').describe('The data folder: keys, store, policies. From EPHOR_HOME or --home only.'),
  host: z.string().min(1).default('127.0.0.1').describe('The address to listen on.'),
  port: whole(0, 65_535).default(7373).describe('The port to listen on; 0 takes a free one.'),
  allowedHosts: list.default([]).describe('Names that requests may carry as Host besides this machine (protects against DNS rebinding).'),
  publicUrl: z
    .url({ protocol: /^https?$/, error: 'must be an http or https address' })
    .optional()
    .describe('The address people and agents reach Ephor at, when a proxy stands in front of it.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'], { error: 'must be debug, info, warn, error or silent' })
    .default('info')
    .describe('How much the server logs.'),
  policyFolder: z.string().min(1).optional().describe('Where the Cedar policies are; the folder policies in the data folder unless set.'),
  applicationsFolder: z
    .string()
    .min(1)
    .optional()
    .describe('Where the applications of other enforcement points are; the folder applications in the data folder unless set.'),
  demo: flag.default(true).describe('Set up the demo tool server and agent on the first run.'),
  drain: duration.default(10_000).describe('How long a stop waits for calls in flight.'),
  tenant: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be 1 to 40 lower-case letters, digits and hyphens')
    .default('default')
    .describe('Whose rows and ledger this server keeps; several tenants may share a PostgreSQL database.'),
  store: z
    .strictObject({
      url: databaseUrl
        .optional()
        .describe('The PostgreSQL database that the replicas share; the embedded store in the data folder unless set.'),
      poolSize: whole(1, 100).default(4).describe('Connections to PostgreSQL that read, at most; one more writes and one listens.'),
      migrate: flag.default(true).describe('Bring an older store up to date at start; otherwise that is for ephor migrate.'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      bodyBytes: size.default(1024 * 1024).describe('The largest request body.'),
      bodyDepth: whole(4, 512).default(64).describe('Arrays and objects inside one another in a request, at most.'),
      resultBytes: size.default(1024 * 1024).describe('The largest result of a tool; a larger one is withheld whole.'),
    })
    .prefault({}),
  calls: z
    .strictObject({
      timeout: duration.default(60_000).describe('How long a tool may take.'),
      outcomeDeadline: duration.default(300_000).describe('How long an enforcement point has to report an outcome.'),
    })
    .prefault({}),
  approvals: z
    .strictObject({
      ttl: duration.default(900_000).describe('How long an approval stays open, unless the policy says less.'),
      wait: duration.default(10_000).describe('How long a retried call waits for a person to decide.'),
    })
    .prefault({}),
  backtests: z
    .strictObject({
      driftEvery: duration
        .default(86_400_000)
        .describe('How often recorded decisions are made again to see that they come out the same; 0: when somebody asks.'),
    })
    .prefault({}),
  envoy: z
    .strictObject({
      listen: z
        .string()
        .regex(/^(?:\[[0-9a-f:]+\]|[\w.-]+):\d{1,5}$/i, 'must be an address and a port such as 127.0.0.1:7374')
        .optional()
        .describe('Where Envoy may ask over gRPC (ext_authz); not at all unless set.'),
    })
    .prefault({}),
  ledger: z
    .strictObject({
      witnesses: WitnessList.default([]).describe('Who cosigns checkpoints: the line that ephor witness prints, several by commas.'),
      witnessQuorum: whole(1, 20).optional().describe('How many of them have to; all unless set.'),
      witnessDeadline: duration
        .pipe(z.number().min(1000, 'must be at least 1s'))
        .default(60_000)
        .describe('Within what time; later is an alarm.'),
      public: flag.default(false).describe('Serve the files of the log under /ledger/ to anyone, for mirrors and witnesses.'),
      signer: z
        .strictObject({
          url: z
            .url({ protocol: /^https?$/, error: 'must be an http or https address' })
            .refine(
              (url) => /^https:|^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])[:/]?/.test(url),
              'must be https, unless it is on this machine',
            )
            .optional()
            .describe('The HashiCorp Vault that signs checkpoints (Transit engine); a key file of the data folder does unless set.'),
          mount: z.string().min(1).default('transit').describe('Where its Transit engine is mounted.'),
          key: z
            .string()
            .regex(/^[\w.-]{1,128}$/, 'must name a key')
            .default('ephor-ledger')
            .describe('The Ed25519 key in it.'),
          namespace: z.string().min(1).optional().describe('The namespace in it.'),
          tokenFile: z.string().min(1).optional().describe('The file with the token for it, read for each request.'),
          timeout: duration.pipe(z.number().min(1)).default(5000).describe('How long one signature may take.'),
        })
        .refine(({ url, tokenFile }) => (url === undefined) === (tokenFile === undefined), 'has url and tokenFile together or neither')
        .prefault({}),
      gossip: z.string().min(1).optional().describe('A checkpoint of this ledger that somebody else keeps: a file or an https address.'),
      timestamps: z
        .strictObject({
          url: z
            .url({ protocol: /^https?$/, error: 'must be an http or https address' })
            .optional()
            .describe('The RFC 3161 authority that stamps checkpoints; none unless set.'),
          ca: z.string().min(1).optional().describe('The file of certificates (PEM) that are trusted to issue those of authorities.'),
          every: duration
            .pipe(z.number().min(60_000, 'must be at least 1m'))
            .default(3_600_000)
            .describe('How often a checkpoint is stamped, when the ledger grew.'),
        })
        .refine(({ url, ca }) => (url === undefined) === (ca === undefined), 'has url and ca together or neither')
        .prefault({}),
      mirror: z
        .strictObject({
          bucket: z
            .string()
            .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket')
            .optional()
            .describe('The S3 bucket in which a copy of the published log is kept up to date; none unless set.'),
          prefix: z
            .string()
            .regex(/^(?:[\w.-]+(?:\/[\w.-]+)*)?$/, 'must be words divided by slashes, without one at the ends')
            .default('')
            .describe('The folder in the bucket.'),
          region: z.string().min(1).optional().describe('The region of the bucket, unless the environment says it.'),
          endpoint: z
            .url({ protocol: /^https?$/, error: 'must be an http or https address' })
            .optional()
            .describe('The address of a store that is not Amazon’s.'),
          pathStyle: flag.default(false).describe('Name the bucket in the path and not in the host name.'),
          every: duration
            .pipe(z.number().min(1000, 'must be at least 1s'))
            .default(10_000)
            .describe('How soon after a checkpoint the copy is brought up to date, at most.'),
        })
        .prefault({}),
    })
    .prefault({}),
  outbox: sinks.default([]).describe('Systems that the ledger is sent to: NATS JetStream and webhooks.'),
  mcp: z
    .strictObject({
      sessionIdle: duration.default(1_800_000).describe('After how long without a request an MCP session is closed.'),
      plainNames: flag.default(false).describe('Tools go by their own names where an agent may see one server only.'),
    })
    .prefault({}),
})

export type Settings = z.output<typeof Settings>

/** One setting: its dotted name, its words, and how the environment and the command line spell it. */
export type SettingName = { path: string; environment: string; flag: string; description: string; isFlag: boolean }

function words(path: string): string[] {
  return path.split(/[.]|(?=[A-Z])/).map((word) => word.toLowerCase())
}

function inner(schema: z.core.$ZodType): z.core.$ZodType {
  const def = (schema as z.ZodType).def as { innerType?: z.core.$ZodType }
  return def.innerType && !(schema instanceof z.ZodObject) ? inner(def.innerType) : schema
}

function collect(object: z.ZodObject, prefix: string): SettingName[] {
  return Object.entries(object.shape).flatMap(([key, schema]) => {
    const path = prefix + key
    const bare = inner(schema)
    if (bare instanceof z.ZodObject) return collect(bare, `${path}.`)
    const description = (schema as z.ZodType).description ?? ''
    return [
      {
        path,
        environment: `EPHOR_${words(path).join('_').toUpperCase()}`,
        flag: `--${words(path).join('-')}`,
        description,
        isFlag: bare === flag,
      },
    ]
  })
}

/** Every setting, in the order of the schema. */
export const SETTING_NAMES: readonly SettingName[] = collect(Settings, '')
