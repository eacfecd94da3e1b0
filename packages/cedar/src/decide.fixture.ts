/** For tests: policies as text, through the official parser, and what our engine makes of them. */
import { policyJsons } from '../test/official.fixture.ts'
import { compilePolicies, createEntities, evaluate, readContext, readEntities } from './index.ts'
import type { CedarRequest, EntityUid, Evaluation, PolicyJson, PolicySet, TemplateLink } from './index.ts'

export const user = (id: string): EntityUid => ({ type: 'User', id })
export const group = (id: string): EntityUid => ({ type: 'Group', id })
export const action = (id: string): EntityUid => ({ type: 'Action', id })
export const doc = (id: string): EntityUid => ({ type: 'Doc', id })

export function compileTexts(
  policies: Record<string, string>,
  templates: Record<string, string> = {},
  links: TemplateLink[] = [],
): PolicySet {
  return compilePolicies(policyJsons({ policies, templates, links: [] }) as [string, PolicyJson][], links)
}

export function requestWith(context: unknown = {}): CedarRequest {
  return { principal: user('ann'), action: action('read'), resource: doc('plan'), context: readContext(context) }
}

export function decide(policies: Record<string, string>, context: unknown = {}, entities: unknown = []): Evaluation {
  return evaluate(compileTexts(policies), createEntities(readEntities(entities)), requestWith(context))
}

/** What one condition comes to: true, false, or the code of its failure. */
export function outcome(condition: string, context: unknown = {}, entities: unknown = []): boolean | string {
  const { permits, errors } = decide({ it: `permit(principal, action, resource) when { ${condition} };` }, context, entities)
  return errors[0]?.code ?? permits.length > 0
}

/** The code of the CedarError that `work` throws. */
export function refusalOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
  return 'accepted'
}
