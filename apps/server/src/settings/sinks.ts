/** The settings of what is sent to other systems: sinks of the outbox. Secrets are named, never written into the settings. */
import { z } from 'zod'

/** `secret:NAME` is in the vault, `file:PATH` is read from there. */
const reference = z.string().regex(/^(?:secret:[\w.-]{1,128}|file:.+)$/, 'must name a secret: secret:NAME (ephor vault put) or file:PATH')

const token = z.string().regex(/^[\w-]+(?:\.[\w-]+)*$/, 'must be words of letters, digits, _ and -, divided by dots')
const file = z.string().min(1)

const nats = z
  .strictObject({
    servers: z.union([z.string(), z.array(z.string()).min(1)]).transform((servers) => [servers].flat()),
    stream: z.string().regex(/^[\w-]{1,64}$/, 'must be the name of a stream: letters, digits, _ and -'),
    prefix: token.default('ephor'),
    create: z.boolean().default(false),
    token: reference.optional(),
    user: z.string().min(1).optional(),
    password: reference.optional(),
    nkey: reference.optional(),
    credentials: reference.optional(),
    tls: z.strictObject({ ca: file.optional(), cert: file.optional(), key: file.optional() }).optional(),
  })
  .refine(({ user, password }) => (user === undefined) === (password === undefined), 'has user and password together or neither')

const webhook = z
  .strictObject({
    url: z.url({ protocol: /^https?$/, error: 'must be an https address' }),
    secret: z.union([reference, z.array(reference).min(1).max(5)], { error: 'must name a secret: secret:NAME or file:PATH' }),
    allowPrivate: z.boolean().default(false),
    timeout: z.number().int().min(1).max(20).default(15),
  })
  .transform(({ secret, timeout, ...rest }) => ({ ...rest, secrets: [secret].flat(), timeoutMs: timeout * 1000 }))

const sink = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be up to 40 of a-z, 0-9 and -'),
    types: z.array(token).default([]),
    from: z.enum(['now', 'start'], { error: 'must be now or start' }).default('now'),
    nats: nats.optional(),
    webhook: webhook.optional(),
  })
  .refine((one) => (one.nats === undefined) !== (one.webhook === undefined), 'must say one of nats and webhook')

/** The environment and flags carry the list as JSON. */
function fromText(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

export const sinks = z.preprocess(
  fromText,
  z
    .array(sink, { error: 'must be a list of sinks, in the environment as JSON' })
    .max(50)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'has two sinks of the same name'),
)
