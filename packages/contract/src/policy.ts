/** Policy on the wire: what is active, the schema that policies are written against, and a check of texts. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

export const PolicyFinding = z.object({
  code: z.string().describe('What kind of mistake, such as ATTRIBUTE_UNKNOWN.'),
  severity: z.enum(['error', 'warning']).describe('An error keeps the folder from becoming active.'),
  file: z.string(),
  line: z.number().int().describe('From 1.'),
  column: z.number().int().describe('From 1, in UTF-16 units.'),
  message: z.string(),
  suggestion: z.string().optional(),
  policy: z.string().optional().describe('The id of the policy that it is about.'),
})
export type PolicyFinding = z.output<typeof PolicyFinding>

export const PolicyView = z.object({
  version: z.string().optional().describe('Digest of the active texts; absent when none is active and everything is refused.'),
  activatedAt: z.iso.datetime().optional(),
  files: z.array(z.object({ name: z.string(), text: z.string() })),
  policies: z.array(
    z.object({
      id: z.string().describe('File name without .cedar, a slash, then @id or the position in the file.'),
      effect: z.enum(['permit', 'forbid', 'hold']),
      file: z.string(),
      line: z.number().int(),
      reason: z.string(),
      controls: z.array(z.string()).describe('Ids of the controls that it carries out, by @control.'),
      owner: z.string().optional(),
      severity: z.enum(['low', 'medium', 'high', 'critical']).optional(),
    }),
  ),
  findings: z.array(PolicyFinding).describe('Of the active texts, against the tools as they are now.'),
  unfit: z
    .object({ policies: z.array(z.string()), changed: z.array(z.string()) })
    .optional()
    .describe('Active policies that do not fit the tools any more, and what changed in the tools when they stopped fitting.'),
  refused: z
    .object({ version: z.string(), at: z.iso.datetime(), findings: z.array(PolicyFinding) })
    .optional()
    .describe('The folder as it is now, when it has errors and therefore did not become active.'),
  pending: z.string().optional().describe('The version of the folder as it is now, when the charter asks for a review of it first.'),
  governor: z.string().optional().describe('The version whose charter says who may change policies; absent when the folder changes them.'),
  staged: z
    .object({ version: z.string(), mode: z.enum(['shadow', 'canary']), percent: z.number().int() })
    .optional()
    .describe('What is tried beside the active version.'),
})
export type PolicyView = z.output<typeof PolicyView>

const Files = z
  .record(z.string().min(1).max(120), z.string().max(256 * 1024))
  .refine((files) => Object.keys(files).length <= 200, 'at most 200 files')
  .describe('Texts by file name.')

export const policyOperations = {
  showPolicy: {
    method: 'GET',
    path: '/v1/policy',
    summary: 'Show the active policies, and what the folder was refused for',
    tag: 'policy',
    who: 'person',
    response: PolicyView,
  },
  showPolicySchema: {
    method: 'GET',
    path: '/v1/policy/schema',
    summary: 'Show the Cedar schema that policies are checked against',
    tag: 'policy',
    who: 'person',
    response: z.object({
      digest: z.string(),
      text: z.string().describe('In the Cedar schema language.'),
      leftOut: z.array(z.object({ where: z.string(), why: z.string() })).describe('Arguments and tools that policies cannot see.'),
    }),
  },
  checkPolicy: {
    method: 'POST',
    path: '/v1/policy/check',
    summary: 'Check policy texts without activating them',
    tag: 'policy',
    who: 'person',
    body: z.strictObject({ files: Files }),
    response: z.object({ ok: z.boolean(), findings: z.array(PolicyFinding) }),
  },
} satisfies Operations
