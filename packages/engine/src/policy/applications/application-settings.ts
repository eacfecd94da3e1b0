/** `application.yaml`: who may ask for an application, how its names map to Cedar's, and what may be answered before it is recorded. */
import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { locate } from '../charter/read-charter.ts'
import type { Finding } from '../types.ts'

/** The name that the settings have in an application's folder. */
export const SETTINGS_FILE = 'application.yaml'

const MAX_BYTES = 64 * 1024
const Name = z.string().min(1).max(256)
const Names = z.array(Name).max(1000)

const Route = z.strictObject({
  methods: z
    .array(z.string().regex(/^[A-Z]{1,20}$/, 'a method in capitals, such as GET'))
    .min(1)
    .max(20),
  path: z
    .string()
    .max(512)
    .regex(/^\/[^?#]*$/, 'a path from /, in which :name stands for one segment and a last * for any rest')
    .describe('`/accounts/:id`, `/files/*`'),
  action: Name,
  resource: z.strictObject({ type: Name, id: Name.describe('Text in which :name stands for the segment of that name.') }),
})

const Envoy = z.strictObject({
  fulfils: z
    .array(z.enum(['limit', 'timeout', 'redact', 'sandbox', 'log']))
    .default([])
    .describe('Obligations that the proxy is set up to keep; a permit with any other is a denial.'),
  hosts: z
    .array(z.string().max(253).toLowerCase())
    .max(100)
    .default([])
    .describe('Hosts that the application answers for; any when empty.'),
  subject: z.strictObject({
    type: Name,
    header: z
      .string()
      .regex(/^[a-z0-9-]{1,100}$/, 'a header in lower case')
      .describe('The header in which the proxy, not its client, says who asks.'),
  }),
  routes: z.array(Route).min(1).max(1000).describe('The first that fits is asked about; nothing else is permitted.'),
})

const ApplicationSettingsShape = z.strictObject({
  enforcementPoints: z
    .array(Name)
    .min(1)
    .max(100)
    .describe('Agents, by name or id, whose credential may ask: they are trusted to say who the subject is.'),
  types: z.record(Name, Name).default({}).describe('Entity types by the names that enforcement points use.'),
  actions: z.record(Name, Name).default({}).describe('Action ids by the names that enforcement points use.'),
  delayed: z
    .strictObject({
      actions: Names.min(1),
      within: z.number().int().min(10).max(5000).default(250).describe('ms: what is answered longer ago than this is recorded.'),
    })
    .optional()
    .describe('Low-risk actions that are answered before the decision is durable.'),
  approvalDeadlineMs: z
    .number()
    .int()
    .min(1000)
    .max(30 * 86_400_000)
    .default(900_000)
    .describe('How long a question stays open, unless the policy says.'),
  beside: z
    .boolean()
    .default(false)
    .describe('Also takes properties that stand beside type and id, as drafts before AuthZEN 1.0 wrote them.'),
  envoy: Envoy.optional(),
})
export type ApplicationSettings = z.output<typeof ApplicationSettingsShape>

function mistake(message: string, place: { line: number; column: number } = { line: 1, column: 1 }): Finding {
  return { code: 'APPLICATION_INVALID', severity: 'error', file: SETTINGS_FILE, ...place, message }
}

/** @param text of `application.yaml`: no aliases, no unknown names, at most 64 KiB */
export function readApplicationSettings(text: string | undefined): { settings: ApplicationSettings } | { findings: Finding[] } {
  if (text === undefined)
    return { findings: [mistake(`there is no ${SETTINGS_FILE}, so nobody may ask: name the enforcementPoints in it`)] }
  if (Buffer.byteLength(text) > MAX_BYTES) return { findings: [mistake(`the file is larger than ${MAX_BYTES} bytes`)] }
  const lines = new LineCounter()
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
    const [error] = document.errors
    if (error) {
      const { line, col } = lines.linePos(error.pos[0])
      return { findings: [mistake(error.message, { line, column: col })] }
    }
    // No aliases: a few of them could stand for gigabytes.
    const parsed = ApplicationSettingsShape.safeParse(document.toJS({ maxAliasCount: 0 }) ?? {})
    if (parsed.success) return { settings: parsed.data }
    return {
      findings: parsed.error.issues.map(({ message, path }) => {
        const known = path.filter((part) => typeof part !== 'symbol')
        return mistake(known.length === 0 ? message : `${known.join('.')}: ${message}`, locate(document, lines, known))
      }),
    }
  } catch {
    return { findings: [mistake('aliases (*name) are not taken, nor values nested beyond measure: write the value out')] }
  }
}
