/** Reads retention rules as the operator writes them: YAML, with the first thing that is wrong named by its place. */
import { Fault, RetentionRules } from '@ephor/contract'
import { parse, YAMLParseError } from 'yaml'
import { checkRules } from './retention-rules.ts'

/** @param file for the message @throws Fault RETENTION_INVALID */
export function parseRetentionRules(text: string, file: string): RetentionRules {
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    const at = error instanceof YAMLParseError ? error.linePos?.[0] : undefined
    const [sentence] = (error as Error).message.split('\n')
    throw new Fault('RETENTION_INVALID', `${file}${at ? `:${at.line}:${at.col}` : ''} is not YAML: ${sentence}`)
  }
  const parsed = RetentionRules.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new Fault('RETENTION_INVALID', `${file}: ${(issue?.path ?? []).join('.') || 'the file'}: ${issue?.message ?? 'not valid'}`)
  }
  checkRules(parsed.data)
  return parsed.data
}
