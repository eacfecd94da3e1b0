/** Decides what a file says of all requests of a kind: a proof over whatever can be asked, or a request that breaks it. What is neither fails. */
import { askingOf, examplesOf } from '../analyze/analyze.ts'
import { together } from '../analyze/check-policies.ts'
import { witnessEvaluator } from '../analyze/evaluate-witness.ts'
import type { Namespace } from '../analyze/make-encoder.ts'
import { all, any, makeProver, none, satisfied } from '../analyze/prove.ts'
import type { Goal } from '../analyze/prove.ts'
import { requestClasses } from '../analyze/request-classes.ts'
import type { EncodedClass } from '../analyze/request-classes.ts'
import { startSolver } from '../analyze/start-solver.ts'
import type { Solver, SolverLimits } from '../analyze/start-solver.ts'
import type { Effect, Subject, Witness } from '../analyze/types.ts'
import { defaultCharter } from '../charter/charter.ts'
import type { OpenBundle } from '../open-bundle.ts'
import type { PolicyPrincipal, PolicyWorld } from '../types.ts'
import type { Property } from './case-file.ts'
import { decisionsOn } from './decide-witness.ts'
import type { CasesOfFile } from './read-cases.ts'
import { riskFloor } from './risk-floor.ts'
import type { CaseResult } from './run-cases.ts'
import { policyOfPrincipal, selectActions, selectPrincipals } from './select-requests.ts'

/** Beyond, asking one by one takes longer than the proof. */
const MAX_PAIRS = 50_000

type Ground = { bundle: OpenBundle; world: PolicyWorld }
const EFFECTS: readonly Effect[] = ['permit', 'hold', 'deny']

/** Effects that would break it. */
const breaking = ({ never, be }: Property): readonly Effect[] => (never ? be : EFFECTS.filter((effect) => !be.includes(effect)))

/** What a class of requests can come to. Unless it is said that nobody approved, whatever is held can be permitted. */
function goalOf(of: EncodedClass, subjects: readonly Subject[], effect: Effect, approved: boolean | undefined): Goal {
  const { permitted, forbidden, asked, failed } = together(of, subjects)
  const open = all(permitted, none(failed, forbidden))
  if (effect === 'deny') return any(failed, forbidden, none(permitted))
  if (effect === 'hold') return all(open, asked)
  return approved === false ? all(open, none(asked)) : open
}

/** Elsewhere it would only be one more thing to find a value for. */
const looksAtRisk = ({ policies }: EncodedClass, subjects: readonly Subject[]) =>
  subjects.some(
    ({ id, json }) =>
      policies.has(id) && JSON.stringify(json, (_, value: unknown) => (typeof value === 'bigint' ? '' : value)).includes('"attr":"risk"'),
  )

/** A charter only takes away: it can't break that something is never permitted, and it can break anything else. */
function charterMayBreak({ charter }: OpenBundle, bad: readonly Effect[]): boolean {
  const isDownward = bad.every((effect) => effect !== 'deny') && bad.includes('permit')
  const said = ({ appetite, autonomy, budgets, tools }: typeof charter) => JSON.stringify([appetite, autonomy, budgets, tools])
  return !isDownward && said(charter) !== said(defaultCharter)
}

type Verdict = { ok: true; got: string } | { ok: false; got: string }

const exampleText = ({ principal, action, resource, context }: Witness) => {
  const { input = {}, ...rest } = context
  const told = Object.entries(rest).filter(([name]) => ['paths', 'amount', 'labels', 'onBehalfOf', 'uri', 'name', 'budget'].includes(name))
  const also = told.length === 0 ? '' : `, ${JSON.stringify(Object.fromEntries(told)).slice(0, 300)}`
  return `${principal.type} ${principal.id} asks ${action.id} of ${resource.id} with ${JSON.stringify(input).slice(0, 300)}${also}`
}

type Asked = { property: Property; principals: readonly PolicyPrincipal[]; actions: readonly string[]; solver: Solver; until: number }

async function prove({ bundle, world }: Ground, { property, principals, actions, solver, until }: Asked): Promise<Verdict> {
  const subjects: Subject[] = [...bundle.policies.values()]
  const bad = breaking(property)
  if (charterMayBreak(bundle, bad)) return { ok: false, got: 'not proven: the charter can refuse or hold such calls beside the policies' }
  const whos = principals.map((principal) => policyOfPrincipal(principal, world, subjects))
  const everybody = [...subjects, ...whos]
  const schema = { ...bundle.schema, actions: new Map([...bundle.schema.actions].filter(([id]) => actions.includes(id))) }
  const { classes, cut } = await requestClasses({ subjects: everybody, schema, asking: askingOf(subjects), until })
  if (cut.length > 0) return { ok: false, got: `not proven: the time was over before ${cut.join(', ')}` }
  const namespace = schema.json[''] as Namespace
  const prover = makeProver({ solver, namespace, examples: examplesOf(world), evaluate: witnessEvaluator(everybody, schema) })
  for (const of of classes) {
    const floor = looksAtRisk(of, subjects) ? riskFloor(of, bundle.charter, schema) : undefined
    const one = any(...whos.filter(({ id }) => of.policies.has(id)).map(({ id }) => satisfied(of, id)))
    for (const effect of bad) {
      const verdict = await prover.find(of, all(one, ...(floor ? [floor] : []), goalOf(of, subjects, effect, property.approved)))
      if (verdict.kind === 'none') continue
      if (verdict.kind === 'unknown')
        return { ok: false, got: `not proven for ${of.actions.join(', ')}: write cases for it, or simpler policies` }
      const example = exampleText(verdict.witness)
      const decided = decisionsOn(bundle, verdict.witness, property.approved).map((decision) => decision.effect)
      const found = decided.find((each) => bad.includes(each))
      if (found) return { ok: false, got: `${found}: for example ${example}` }
      return { ok: false, got: `not proven: the policies alone would ${effect} this, though now it comes to ${decided[0]}: ${example}` }
    }
  }
  return { ok: true, got: `proven for ${principals.length} × ${actions.length}` }
}

/** Nothing is left to prove for those whom no policy could ever permit anything. */
function couldBreak({ bundle, world }: Ground, property: Property, principals: readonly PolicyPrincipal[], actions: readonly string[]) {
  if (breaking(property).includes('deny') || principals.length * actions.length > MAX_PAIRS) return { principals, actions }
  const servers = world.servers.map(({ name }) => name)
  const could = (principal: PolicyPrincipal, action: string) =>
    (bundle.schema.actions.get(action)?.server ? [bundle.schema.actions.get(action)?.server ?? ''] : servers).some((server) =>
      bundle.couldPermit(principal, action, server),
    )
  return {
    principals: principals.filter((principal) => actions.some((action) => could(principal, action))),
    actions: actions.filter((action) => principals.some((principal) => could(principal, action))),
  }
}

const selectionText = (selection: object | string) =>
  typeof selection === 'string' ? selection : JSON.stringify(selection).replaceAll('"', '')

function nameOf({ name, never, always, be }: Property): string {
  const { who, what } = never ?? always ?? { who: {}, what: {} }
  return name ?? `${never ? 'never' : 'always'} ${selectionText(who)} ${selectionText(what)} ${be.join(' or ')}`
}

async function decideProperty(ground: Ground, property: Property, solver: Solver, until: number): Promise<Verdict> {
  const requests = property.never ?? property.always
  const principals = selectPrincipals(ground.world, requests?.who ?? {})
  const actions = selectActions(ground.bundle.schema, requests?.what ?? {}, principals)
  if (principals.length === 0) return { ok: false, got: 'it is about nobody: its world has no such agent' }
  if (actions.length === 0) return { ok: false, got: 'it is about nothing: its world has no such tool' }
  const open = couldBreak(ground, property, principals, actions)
  if (open.principals.length === 0) return { ok: true, got: `proven for ${principals.length} × ${actions.length}: no policy reaches them` }
  return prove(ground, { property, ...open, solver, until })
}

/** Every verdict is a result like that of a case. */
export async function decideProperties({ file, properties }: CasesOfFile, ground: Ground, limits: SolverLimits): Promise<CaseResult[]> {
  if (properties.length === 0) return []
  const solver = startSolver(limits)
  const until = performance.now() + limits.totalMs
  try {
    const results: CaseResult[] = []
    for (const property of properties) {
      const started = performance.now()
      const verdict = await decideProperty(ground, property, solver, until)
      const { line, column, never, be } = property
      const expected = `${never ? 'never' : 'always'} ${be.join(' or ')}`
      results.push({ file, line, column, name: nameOf(property), ...verdict, expected, reasons: [], ms: performance.now() - started })
    }
    return results
  } finally {
    await solver.close()
  }
}
