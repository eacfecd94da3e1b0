/** Asks that nobody can answer: groups without enough people, and approvals that no policy asks for. */
import type { PolicyWorld } from '../types.ts'
import type { AnalysisFinding, Subject } from './types.ts'

type Said = Pick<AnalysisFinding, 'severity' | 'message' | 'suggestion'>

/**
 * @param asking ids of everything that asks
 * @param people undefined when it is not known who there is: then nothing is said of groups
 */
export function checkAsks(
  subjects: readonly Subject[],
  asking: readonly string[],
  people: PolicyWorld['people'],
): { subject: Subject; said: Said }[] {
  const asked = new Set(asking)
  return subjects.flatMap((subject) => {
    const found = [...(people && subject.ask ? checkGroups(subject.ask, people) : []), ...checkNames(subject, asked)]
    return found.map((said) => ({ subject, said }))
  })
}

function checkGroups({ group, quorum, escalate }: NonNullable<Subject['ask']>, people: NonNullable<PolicyWorld['people']>): Said[] {
  const members = (name?: string) => people.filter(({ groups }) => name === undefined || groups.includes(name)).length
  const found: Said[] = []
  for (const [name, role] of [[group, 'asks'], ...(escalate === undefined ? [] : [[escalate, 'hands over to']])] as [
    string | undefined,
    string,
  ][]) {
    const count = members(name)
    if (count >= quorum) continue
    const who = name === undefined ? 'people' : `the group ${name}`
    const has = name === undefined ? `there ${count === 1 ? 'is 1' : `are ${count}`}` : `it has ${count === 0 ? 'no members' : `${count}`}`
    const message = `nobody can give this approval: it ${role} ${quorum} of ${who}, and ${has}`
    const suggestion = name === undefined ? 'lower quorum, or add people' : `add people to ${name}, name another group, or lower quorum`
    // While the group that is asked first can answer, the hold is not stuck; it is when they don't.
    found.push({ severity: role === 'asks' ? 'error' : 'warning', message, suggestion })
  }
  return found
}

/** `context.approvals.contains("x")`: holds only after people answered what the policy x asked. */
function checkNames({ json }: Subject, asked: ReadonlySet<string>): Said[] {
  const named = json.conditions.flatMap(({ body }) => approvalsIn(body))
  return [...new Set(named)]
    .filter((id) => !asked.has(id))
    .map((id) => ({
      severity: 'warning',
      message: `the condition waits for an approval of "${id}", but no policy of this name asks for one`,
      suggestion:
        asked.size === 0 ? 'add @approval to the forbid that should ask' : `policies that ask: ${[...asked].slice(0, 5).join(', ')}`,
    }))
}

function approvalsIn(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return []
  const here = node as { contains?: { left?: unknown; right?: { Value?: unknown } } }
  const value = here.contains?.right?.Value
  const isApprovals = JSON.stringify(here.contains?.left) === '{".":{"left":{"Var":"context"},"attr":"approvals"}}'
  const inner = Object.values(node).flatMap(approvalsIn)
  return isApprovals && typeof value === 'string' ? [value, ...inner] : inner
}
