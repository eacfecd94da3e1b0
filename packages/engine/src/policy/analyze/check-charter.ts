/** Where charter and policies contradict each other: what one opens and the other never lets through. */
import { defaultCharter } from '../charter/charter.ts'
import type { Charter, Tier } from '../charter/charter.ts'
import { CHARTER_FILE, locate, parseCharter } from '../charter/read-charter.ts'
import type { PolicyFiles } from '../types.ts'
import { search, together } from './check-policies.ts'
import type { Ground, Report } from './check-policies.ts'
import { all, none, satisfied } from './prove.ts'
import type { Goal } from './prove.ts'
import type { EncodedClass } from './request-classes.ts'
import { eq, or } from './smt.ts'
import type { AnalysisFinding, Subject, Witness } from './types.ts'

const TIERS: readonly Tier[] = ['low', 'medium', 'high', 'critical']

/** The calls whose tier the charter leaves alone, as far as the policies look at the tier. */
function below({ encoder }: EncodedClass, tier: Tier | undefined): Goal {
  const allowed = tier === undefined ? TIERS : TIERS.slice(0, TIERS.indexOf(tier))
  const risk = encoder.context.kind === 'record' ? encoder.context.field('risk').term : encoder.context
  const term = risk.kind === 'record' ? risk.field('tier').term : risk
  const smt = 'smt' in term ? or(...allowed.map((one) => eq(term.smt, `"${one}"`))) : 'true'
  const tierOf = (context: Witness['context']) => (context.risk as { tier?: Tier } | undefined)?.tier ?? 'low'
  return { smt, holds: (_, { context }) => allowed.includes(tierOf(context)) }
}

/** Whatever agent it is, it may only observe here. */
function onlyObserved({ autonomy }: Charter, { encoder }: EncodedClass): boolean {
  const { groups, principalType } = encoder.of
  if (principalType !== 'Agent' || groups.has('read')) return false
  const fitting = autonomy.rules.filter(({ actions }) => actions === undefined || actions.some((one) => groups.has(one)))
  if (fitting.some(({ agents, mode }) => agents === undefined && mode === 'observe')) return true
  return autonomy.default === 'observe' && fitting.every(({ mode }) => mode === 'observe')
}

async function refusedPermits(ground: Ground, charter: Charter, report: Report): Promise<void> {
  for (const subject of ground.subjects) {
    if (subject.effect !== 'permit') continue
    const covers = ({ policies }: EncodedClass) => policies.has(subject.id)
    // One that can't apply at all has been said already.
    const applies = await search(ground, covers, (of) => satisfied(of, subject.id))
    if (applies.kind !== 'shown') continue
    const taken = await search(
      ground,
      (of) => covers(of) && !onlyObserved(charter, of),
      (of) => all(satisfied(of, subject.id), below(of, charter.appetite.refuse)),
    )
    if (taken.kind === 'unknown')
      report.undecided({ policy: subject.id, question: 'whether the charter takes anything that it permits', actions: taken.actions })
    if (taken.kind !== 'none') continue
    report.add(subject, {
      code: 'CHARTER_CONTRADICTION',
      severity: 'warning',
      message: 'the charter refuses everything that this permits',
      suggestion: 'change autonomy or appetite.refuse in charter.yaml, or remove the permit',
      basis: 'proven',
      witness: applies.witness,
    })
  }
}

/** The charter lets agents go alone where the policies never do. */
async function heldAnyway(ground: Ground, charter: Charter, files: PolicyFiles, report: Report): Promise<AnalysisFinding[]> {
  const findings: AnalysisFinding[] = []
  for (const [rule, { mode, actions }] of charter.autonomy.rules.entries()) {
    if (mode !== 'autonomous' || actions === undefined) continue
    for (const [i, name] of actions.entries()) {
      const covers = ({ encoder }: EncodedClass) => encoder.of.groups.has(name)
      if (!ground.classes.some(covers)) continue
      const alone = await search(ground, covers, (of) => outright(of, ground.subjects))
      if (alone.kind === 'unknown')
        report.undecided({ policy: CHARTER_FILE, question: `whether ${name} is ever permitted without a person`, actions: alone.actions })
      if (alone.kind !== 'none') continue
      const { document, lines } = parseCharter(files[CHARTER_FILE] ?? '')
      findings.push({
        code: 'CHARTER_CONTRADICTION',
        severity: 'warning',
        file: CHARTER_FILE,
        ...locate(document, lines, ['autonomy', 'rules', rule, 'actions', i]),
        message: `agents may go alone with ${name}, but the policies hold or refuse every such call`,
        suggestion: 'add a permit that no forbid stands against, or take the rule out',
        basis: 'proven',
      })
    }
  }
  return findings
}

function outright(of: EncodedClass, subjects: readonly Subject[]): Goal {
  const { permitted, forbidden, asked, failed } = together(of, subjects)
  return all(permitted, none(forbidden, asked, failed))
}

export async function checkAgainstCharter(
  ground: Ground,
  charter: Charter,
  files: PolicyFiles,
  report: Report,
): Promise<AnalysisFinding[]> {
  if (charter === defaultCharter) return []
  if (
    charter.appetite.refuse !== undefined ||
    [charter.autonomy.default, ...charter.autonomy.rules.map(({ mode }) => mode)].includes('observe')
  )
    await refusedPermits(ground, charter, report)
  return heldAnyway(ground, charter, files, report)
}
