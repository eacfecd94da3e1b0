/** What is wrong with policies as they stand together: each claim is proven for every request, or shown by one. */
import { all, any, fails, none, satisfied } from './prove.ts'
import type { Goal, Prover, Shown, Verdict } from './prove.ts'
import type { EncodedClass } from './request-classes.ts'
import type { AnalysisFinding, Subject, Undecided } from './types.ts'

export type Ground = { subjects: readonly Subject[]; classes: readonly EncodedClass[]; prover: Prover }
export type Report = {
  add(subject: Subject, finding: Pick<AnalysisFinding, 'code' | 'severity' | 'message' | 'suggestion' | 'basis' | 'witness'>): void
  undecided(entry: Undecided): void
}

const isHard = ({ effect, ask }: Subject) => effect === 'forbid' && !ask
const kinds = ['identity', 'money', 'external', 'destructive', 'write']

const said = new WeakMap<EncodedClass, { subjects: readonly Subject[]; goals: ReturnType<typeof goalsOf> }>()

function goalsOf(of: EncodedClass, subjects: readonly Subject[]) {
  const covering = subjects.filter(({ id }) => of.policies.has(id))
  const each = (which: (subject: Subject) => boolean) => covering.filter(which).map(({ id }) => satisfied(of, id))
  return {
    permitted: any(...each(({ effect }) => effect === 'permit')),
    forbidden: any(...each(isHard)),
    asked: any(...each((subject) => subject.ask !== undefined)),
    failed: any(...covering.map(({ id }) => fails(of, id))),
  }
}

/** Goals about what these policies say together on a class; made once, because every question asks for them. */
export function together(of: EncodedClass, subjects: readonly Subject[]) {
  const known = said.get(of)
  if (known?.subjects === subjects) return known.goals
  const goals = goalsOf(of, subjects)
  said.set(of, { subjects, goals })
  return goals
}

/** Looks through every class that the policy covers, until a request is found. */
export async function search(
  { classes, prover }: Ground,
  covers: (of: EncodedClass) => boolean,
  goal: (of: EncodedClass) => Goal,
): Promise<Exclude<Verdict, { kind: 'unknown' }> | { kind: 'unknown'; actions: string[] }> {
  const open: string[] = []
  for (const of of classes) {
    if (!covers(of)) continue
    const verdict = await prover.find(of, goal(of))
    if (verdict.kind === 'shown') return verdict
    if (verdict.kind === 'unknown') open.push(...of.actions)
  }
  return open.length === 0 ? { kind: 'none' } : { kind: 'unknown', actions: open }
}

export async function checkPolicies(ground: Ground, report: Report): Promise<void> {
  const redundant = new Set<Subject>()
  for (const subject of ground.subjects) {
    const covered = ground.classes.some(({ policies }) => policies.has(subject.id))
    // A rule for tools that are still to come: nothing can be said of it yet.
    if (!covered) continue
    const found = await applies(ground, subject, report)
    await canFail(ground, subject, report)
    if (!found) continue
    const goesOn =
      subject.effect === 'permit' ? await checkPermit(ground, subject, report, found) : await checkForbid(ground, subject, report)
    if (goesOn && (await isRedundant(ground, subject, redundant, report))) redundant.add(subject)
  }
}

function ask(ground: Ground, subject: Subject, report: Report) {
  return async (question: string, goal: (of: EncodedClass) => Goal) => {
    const verdict = await search(ground, ({ policies }) => policies.has(subject.id), goal)
    if (verdict.kind === 'unknown') report.undecided({ policy: subject.id, question, actions: verdict.actions })
    return verdict
  }
}

async function applies(ground: Ground, subject: Subject, report: Report): Promise<Shown | undefined> {
  const verdict = await ask(ground, subject, report)('whether it can ever apply', (of) => satisfied(of, subject.id))
  if (verdict.kind === 'shown') return verdict
  if (verdict.kind === 'none')
    report.add(subject, {
      code: 'NEVER_APPLIES',
      severity: 'warning',
      message: `no request can satisfy this ${subject.effect}`,
      suggestion: 'its conditions contradict each other, or what its scope covers: correct them, or remove the policy',
      basis: 'proven',
    })
  return undefined
}

async function canFail(ground: Ground, subject: Subject, report: Report): Promise<void> {
  const verdict = await ask(ground, subject, report)('whether it can fail', (of) => fails(of, subject.id))
  if (verdict.kind !== 'shown') return
  report.add(subject, {
    code: 'CAN_FAIL',
    severity: 'warning',
    message: 'there are requests on which this policy can’t be evaluated; they are refused with POLICY_ERROR',
    suggestion: 'ask with has first, and bound numbers before computing with them',
    basis: 'shown',
    witness: verdict.witness,
  })
}

async function checkPermit(ground: Ground, subject: Subject, report: Report, found: Shown): Promise<boolean> {
  const { subjects } = ground
  const verdict = await ask(
    ground,
    subject,
    report,
  )('whether a forbid always stands against it', (of) => {
    const { forbidden, failed } = together(of, subjects)
    return all(satisfied(of, subject.id), none(forbidden, failed))
  })
  if (verdict.kind !== 'none') {
    await unconstrained(ground, subject, report)
    return true
  }
  const against = subjects.filter((one) => isHard(one) && found.outcome.satisfied.has(one.id)).map(({ id }) => id)
  report.add(subject, {
    code: 'SHADOWED_PERMIT',
    severity: 'warning',
    message: `everything that this permits is refused${against.length > 0 ? `, in the example by ${against.join(', ')}` : ''}`,
    suggestion: 'narrow the forbid, or remove the permit',
    basis: 'proven',
    witness: found.witness,
  })
  return false
}

async function checkForbid(ground: Ground, subject: Subject, report: Report): Promise<boolean> {
  const { subjects } = ground
  const inquire = ask(ground, subject, report)
  const overlap = await inquire('whether a permit overlaps it', (of) => all(satisfied(of, subject.id), together(of, subjects).permitted))
  if (overlap.kind === 'none') {
    report.add(subject, {
      code: 'NEEDLESS_FORBID',
      severity: 'note',
      message: 'no permit reaches what this forbids: without it the same is refused',
      suggestion: 'keep it if it guards against permits to come; otherwise remove it',
      basis: 'proven',
    })
    return false
  }
  if (!subject.ask || overlap.kind === 'unknown') return true
  const reached = await inquire('whether its ask is ever reached', (of) => {
    const { permitted, forbidden, failed } = together(of, subjects)
    return all(satisfied(of, subject.id), permitted, none(forbidden, failed))
  })
  if (reached.kind !== 'none') return true
  report.add(subject, {
    code: 'SHADOWED_ASK',
    severity: 'warning',
    message: 'nobody is ever asked: everything that this would hold is refused by a forbid without @approval',
    suggestion: 'narrow the other forbid, or remove this one',
    basis: 'proven',
    witness: overlap.witness,
  })
  return false
}

/** What others of its kind say already; those found redundant before don't count, so that of two equals one stays. */
async function isRedundant(ground: Ground, subject: Subject, before: ReadonlySet<Subject>, report: Report): Promise<boolean> {
  // An ask, and an obligation, are added to what the others say.
  if (subject.ask || subject.obligations.length > 0) return false
  const others = ground.subjects.filter((one) => one !== subject && !before.has(one) && one.effect === subject.effect && !one.ask)
  const verdict = await ask(
    ground,
    subject,
    report,
  )('whether others say the same', (of) => {
    const rest = others.filter(({ id }) => of.policies.has(id)).map(({ id }) => satisfied(of, id))
    return all(satisfied(of, subject.id), none(...rest))
  })
  if (verdict.kind !== 'none') return false
  report.add(subject, {
    code: 'REDUNDANT',
    severity: 'note',
    message: `other ${subject.effect === 'permit' ? 'permits' : 'forbids'} say everything that this one says`,
    suggestion: 'remove it, or say what it is for in its reason',
    basis: 'proven',
  })
  return true
}

/** No condition, no named agent or server, no obligation, and no ask or forbid that would stop an example of what it opens. */
async function unconstrained(ground: Ground, subject: Subject, report: Report): Promise<void> {
  const { principal, resource, conditions } = subject.json
  const isWide = [principal, resource].every((scope) => scope.op === 'All' || (scope.op === 'is' && !scope.in))
  if (!isWide || conditions.length > 0 || subject.obligations.length > 0) return
  for (const kind of kinds) {
    const verdict = await search(
      ground,
      ({ policies, encoder }) => policies.has(subject.id) && encoder.of.groups.has(kind),
      (of) => {
        const { forbidden, asked, failed } = together(of, ground.subjects)
        return all(satisfied(of, subject.id), none(forbidden, asked, failed))
      },
    )
    if (verdict.kind !== 'shown') continue
    report.add(subject, {
      code: 'UNCONSTRAINED_PERMIT',
      severity: 'warning',
      message: `any ${verdict.witness.principal.type === 'Agent' ? 'agent' : 'tool server'} may do this without a condition, and it is more than reading (${kind})`,
      suggestion: 'add a condition, an @obligation, or a forbid with @approval; or name the agents, servers or tools',
      basis: 'shown',
      witness: verdict.witness,
    })
    return
  }
}
