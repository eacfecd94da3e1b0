/** The form of `*.test.yaml`: a small world, and cases of who asks for what and how that should be decided. */
import { readFileSync } from 'node:fs'
import { Fault, Risk, ToolKind } from '@ephor/contract'
import { parse, YAMLParseError } from 'yaml'
import { z } from 'zod'

const TestTool = z.strictObject({
  tool: z.string().regex(/^[a-z0-9][a-z0-9-]*\/.+$/, 'name the tool as server/tool'),
  kind: ToolKind,
  risk: Risk.default('medium'),
  paths: z.array(z.string()).default([]).describe('JSON pointers of the arguments that are file paths.'),
  input: z.record(z.string(), z.json()).default({ type: 'object' }).describe('The JSON Schema of its arguments.'),
})

const TestWorld = z.strictObject({
  agents: z.array(z.strictObject({ name: z.string(), owner: z.string().default('team'), purpose: z.string().default('testing') })).min(1),
  servers: z.array(z.strictObject({ name: z.string(), folders: z.array(z.string()).default([]) })).min(1),
  tools: z.array(TestTool).default([]),
})

const TestCase = z.strictObject({
  name: z.string().min(1),
  who: z.string().describe('An agent of the world, by name; or `server:NAME` for what a tool server asks of a client.'),
  what: z.string().describe('`server/tool`, or one of the protocol’s own, such as resources/read, together with `server`.'),
  server: z.string().optional(),
  input: z.record(z.string(), z.json()).default({}),
  approved: z.boolean().default(false).describe('A person has agreed to what the policies ask.'),
  at: z.iso.datetime().optional(),
  expect: z.enum(['permit', 'hold', 'deny']),
  reason: z.string().optional().describe('The id of a policy among the reasons, or a part of its text.'),
})

const CaseFile = z.strictObject({ world: TestWorld, cases: z.array(TestCase).min(1) })

export type TestWorld = z.output<typeof TestWorld>
export type TestCase = z.output<typeof TestCase>
export type CaseFile = z.output<typeof CaseFile>

/** @throws Fault POLICY_INVALID with the place of the mistake. */
export function readCaseFile(file: string): CaseFile {
  let value: unknown
  try {
    value = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    const at = error instanceof YAMLParseError ? error.linePos?.[0] : undefined
    const where = at === undefined ? file : `${file}:${at.line}:${at.col}`
    throw new Fault('POLICY_INVALID', `${where}: ${(error as Error).message.split('\n')[0] ?? ''}`, { where })
  }
  const parsed = CaseFile.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const where = `${file}#/${(issue?.path ?? []).map(String).join('/')}`
  throw new Fault('POLICY_INVALID', `${where}: ${issue?.message ?? 'not valid'}`, { where })
}
