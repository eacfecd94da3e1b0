/** What Ephor itself knows of an agent's past that policies may look at: is the tool new to it, what did its session do, what is left of budgets. */
import type { Subjects } from '@ephor/engine/budgets'
import type { PolicyFacts } from '@ephor/engine/policy'
import type { Asking, Context } from './context.ts'
import { digestSession } from './digest.ts'
import type { Resolved } from './resolve.ts'

/** Whose budgets a call takes from. The person is the credential's: whom the agent says it acts for is no proof. */
export function subjectsOf({ who, call }: Asking): Subjects {
  return { agent: who.id, session: digestSession(who.credential, call.session), person: who.onBehalfOf }
}

export async function factsOf(context: Context, asking: Asking, { server, tool, action }: Resolved): Promise<Partial<PolicyFacts>> {
  const { who, at } = asking
  const terms = context.policy.budgets(who.id, action)
  const subjects = subjectsOf(asking)
  const [novel, budgets, past] = await Promise.all([
    tool ? context.novelty.isNovel(who.id, server.name, tool.name) : false,
    terms.length > 0 ? context.budgets.uses(terms, subjects, at) : {},
    context.sessions.past(subjects.session, at),
  ])
  return { novel, budgets, session: { id: subjects.session, ...past } }
}
