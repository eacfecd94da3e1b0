/** Questions to policies over HTTP, for people: they see names, arguments and values, which agents don't. */
import { Fault, policyQuestionsOperations } from '@ephor/contract'
import type { PolicyExplanation, PolicySource } from '@ephor/contract'
import { mount } from '@ephor/engine/kernel'
import type { Authenticate, Json } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import type { Confine } from '../cases/ask-case.ts'
import { testBundle } from '../cases/test-bundle.ts'
import type { Policy } from '../open-policy.ts'
import type { PolicyFacts, PolicyFiles } from '../types.ts'
import type { CallExplained } from './explain-call.ts'
import { openQuestions } from './open-questions.ts'
import type { QuestionsOptions, RecordedCall, Standing } from './open-questions.ts'

async function filesOf(policy: Policy, source: PolicySource): Promise<PolicyFiles> {
  if (source === 'active') return policy.active().files
  if ('files' in source) return source.files
  const files = await policy.versions.files(source.version)
  if (!files) throw new Fault('NOT_FOUND', `no policies are kept as ${source.version}`)
  return files
}

/** Without the members that are undefined. */
const present = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> }

function explanationView(explained: CallExplained & Partial<Pick<RecordedCall, 'recorded' | 'same'>>): PolicyExplanation {
  const { request, decision, policies, elsewhere, budgets, recorded, same } = explained
  const { version, world, effect, reasons, risk, mode } = decision
  const told = present({
    version,
    world,
    mode,
    risk: risk && { ...risk, parts: [...risk.parts] },
    fault: decision.effect === 'deny' ? decision.fault : undefined,
    detail: decision.effect === 'deny' ? decision.detail : undefined,
    recorded,
    same,
  })
  return {
    principal: request.principal,
    action: request.action,
    server: request.server,
    effect,
    reasons: [...reasons],
    obligations: decision.effect === 'deny' ? [] : [...decision.obligations],
    asks: decision.effect === 'hold' ? decision.asks.map((ask) => ({ ...ask })) : [],
    policies: policies.map(({ conditions, ...policy }) => ({
      ...policy,
      conditions: conditions.map(({ reads, ...condition }) => ({
        ...condition,
        reads: reads.map(({ path, value }) => (value === undefined ? { path } : { path, value: value as Json })),
      })),
    })),
    elsewhere,
    budgets,
    ...told,
  }
}

const standingView = ({ possible, because, dependsOn, ...rest }: Standing) => ({
  ...rest,
  possible: [...possible],
  because: [...because],
  dependsOn: [...dependsOn],
})

type AskedFacts = Omit<Partial<PolicyFacts>, 'session'> & { at?: string | undefined; session?: { calls: number; age: number } | undefined }

function factsOf({ at, session, ...facts }: AskedFacts, clock: number): Partial<PolicyFacts> {
  const now = at === undefined ? clock : Date.parse(at)
  const known = session && { id: 'asked', calls: session.calls, startedAt: now - session.age * 1000 }
  return present({ ...facts, now, session: known })
}

export type PolicyQuestionsParts = Omit<QuestionsOptions, 'policy'> & { policy: Policy; confine: Confine; authenticate: Authenticate }

export function mountPolicyQuestions(app: FastifyInstance, parts: PolicyQuestionsParts): void {
  const { policy, confine, authenticate, now } = parts
  const questions = openQuestions(parts)
  mount(
    app,
    policyQuestionsOperations,
    {
      async testPolicy({ body }) {
        const { results, findings, coverage } = await testBundle(await filesOf(policy, body.source), confine)
        const ok = findings.length === 0 && results.length > 0 && results.every((result) => result.ok)
        return { ok, results: results.map((result) => ({ ...result, reasons: [...result.reasons] })), findings, coverage }
      },
      async explainPolicy({ body }) {
        if ('decision' in body) return explanationView(await questions.recorded(body.decision))
        const { who, what, server, input, source } = body
        const files = source === 'active' ? undefined : await filesOf(policy, source)
        return explanationView(await questions.asked({ who, what, server, input, facts: factsOf(body.facts as AskedFacts, now()) }, files))
      },
      whoCan: async ({ query }) => ({ items: (await questions.whoCan(query.action, query.server)).map(standingView) }),
      whatCan: async ({ query }) => ({ items: (await questions.whatCan(query.agent)).map(standingView) }),
    },
    authenticate,
  )
}
