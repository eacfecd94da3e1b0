/** Decides under one bundle in the world as it is: the question is checked, put into Cedar's values, evaluated and concluded, at once. */
import { CedarError, covering, evaluate, explain, typedRecord } from '@ephor/cedar'
import type { CedarRequest, Explanation } from '@ephor/cedar'
import type { FaultCode } from '@ephor/contract'
import { canonicalInput } from './canonical-text.ts'
import { checkValue } from './check-value.ts'
import type { Checked } from './check-files.ts'
import { assess } from './charter/assess.ts'
import type { Assessment } from './charter/assess.ts'
import { budgetsOf } from './charter/charges.ts'
import type { BudgetTerms } from './charter/charges.ts'
import { modeOf } from './charter/mode.ts'
import { restrict } from './charter/restrict.ts'
import { contextOf } from './context-of.ts'
import type { LiveWorld } from './live-world.ts'
import type { ActionInfo, WorldSchema } from './make-schema.ts'
import { outlookOf } from './outlook-of.ts'
import type { Outlook } from './outlook-of.ts'
import { answeredBy, conclude } from './rules.ts'
import type { Decision, PolicyPrincipal, PolicyRequest } from './types.ts'

/** What decides: texts that were read to the end. */
export type Bundle = Pick<Checked, 'version' | 'policies' | 'charter' | 'set'>

export interface Decider {
  /** Never throws: whatever fails is a denial. */
  decide(request: PolicyRequest): Decision
  /** The same decision, with what each policy that covers the call made of it; none where policies were not asked. Never throws. */
  explain(request: PolicyRequest): { decision: Decision; policies: Explanation }
  /** False when no arguments whatever could be permitted, or held for a person; true when that is not certain. */
  couldPermit(principal: PolicyPrincipal, action: string, server: string): boolean
  /** Ids of the policies whose scope covers such a call, whatever their conditions. */
  covering(principal: PolicyPrincipal, action: string, server: string): string[]
  /** What such calls can come to, whatever their arguments. */
  outlook(principal: PolicyPrincipal, action: string, server: string): Outlook
  /** The budgets of the charter that cover this agent's calls of this action. */
  budgets(agent: string, action: string): BudgetTerms[]
}

export type DeciderOptions = {
  bundle: Bundle
  live: LiveWorld
  /** Called with the policy and the kind of failure, when one can't be evaluated: the engine's words quote what the agent sent. */
  onError: (policy: string, code: string) => void
  /** What one decision may cost, in expressions, compared elements and matched characters. */
  steps?: number
}

/** Some tens of milliseconds: far above what policies need, far below what would be felt by others. */
const STEPS = 500_000

export function makeDecider({ bundle, live, onError, steps = STEPS }: DeciderOptions): Decider {
  const { version, policies, charter, set } = bundle
  const budgets = Object.keys(charter.budgets)
  let schema: WorldSchema | undefined
  let world = ''

  function actionOf(id: string): ActionInfo | undefined {
    if (world !== live.digest) {
      schema = live.schema(budgets)
      world = live.digest
    }
    return schema?.actions.get(id)
  }

  /** The action, where the three exist and belong together; else the denial. */
  function targetOf(principal: PolicyPrincipal, id: string, server: string): ActionInfo | Decision {
    const action = actionOf(id)
    if (!action) return deny('TOOL_UNKNOWN', 'There is no such action.')
    if (!live.entities.has({ type: 'ToolServer', id: server })) return deny('SERVER_UNKNOWN', 'There is no such tool server.')
    if (action.server !== undefined && action.server !== server) return deny('TOOL_UNKNOWN', 'The tool belongs to another server.')
    if (!live.entities.has(principal)) return deny('AGENT_UNKNOWN', 'The principal is not registered.')
    if (action.principal !== principal.type) return deny('POLICY_NO_PERMIT', 'This action is not for this kind of principal.')
    return action
  }

  const deny = (fault: FaultCode, detail: string): Decision => ({ version, world: live.digest, effect: 'deny', fault, detail, reasons: [] })

  function failed(error: unknown): Decision {
    if (error instanceof CedarError && error.code === 'STEPS_EXCEEDED')
      return deny('POLICY_TIMEOUT', 'The policies cost more steps on this call than a decision may.')
    if (error instanceof CedarError) onError(error.policy ?? '', error.code)
    else onError('', (error as Error).name)
    return deny('POLICY_ERROR', 'The policy engine failed on this call.')
  }

  type Question = { assessment: Assessment; answered: ReadonlySet<string>; asked: CedarRequest }

  /** The call in Cedar's words; a denial where policies can't be asked about it. */
  function questionOf(request: PolicyRequest): Question | Decision {
    const { principal, server, facts } = request
    const action = targetOf(principal, request.action, server)
    if ('effect' in action) return action
    const { standing, groups = [] } = (principal.type === 'Agent' && live.agent(principal.id)) || {}
    const target = { action: action.id, agent: principal.id, groups, actions: action.withGroups, standing, tool: action.tool }
    const assessment = assess(charter, target, request)
    if (typeof assessment === 'string') return deny('INPUT_INVALID', `The argument ${assessment}.`)
    const answered = answeredBy(facts.approvals, policies)
    const source = contextOf(request, assessment, answered)
    const problem = checkValue(action.context, source)
    if (problem !== undefined) return deny('INPUT_INVALID', problem)
    const resource = { type: 'ToolServer', id: server }
    const context = typedRecord(action.type, canonicalInput(action.context, source))
    return { assessment, answered, asked: { principal, action: { type: 'Action', id: action.id }, resource, context } }
  }

  function decideOn(request: PolicyRequest, { assessment, answered, asked }: Question): Decision {
    const { permits, forbids, errors } = evaluate(set, live.entities, asked, { steps })
    for (const { policy, code } of errors) onError(policy, code)
    const decision = conclude({ satisfied: [...permits, ...forbids], errors }, policies, answered, { version, world: live.digest })
    return restrict(decision, charter, assessment, request.facts.approvals)
  }

  const actorOf = (agent: string, { withGroups }: ActionInfo) => ({ agent, groups: live.agent(agent)?.groups ?? [], actions: withGroups })

  const coveringOf = (principal: PolicyPrincipal, id: string, server: string) =>
    covering(set, live.entities, { principal, action: { type: 'Action', id }, resource: { type: 'ToolServer', id: server } })

  return {
    covering: coveringOf,
    decide(request) {
      try {
        const question = questionOf(request)
        return 'effect' in question ? question : decideOn(request, question)
      } catch (error) {
        return failed(error)
      }
    },
    explain(request) {
      try {
        const question = questionOf(request)
        if ('effect' in question) return { decision: question, policies: [] }
        const decision = decideOn(request, question)
        return { decision, policies: explain(set, live.entities, question.asked, { steps }) }
      } catch (error) {
        return { decision: failed(error), policies: [] }
      }
    },
    budgets(agent, id) {
      const action = actionOf(id)
      return action ? budgetsOf(charter, actorOf(agent, action)) : []
    },
    outlook(principal, id, server) {
      const info = targetOf(principal, id, server)
      if ('effect' in info) return { effect: 'deny', possible: ['deny'], because: [], dependsOn: [] }
      const found = coveringOf(principal, id, server).map((policy) => policies.get(policy))
      return outlookOf({
        set,
        entities: live.entities,
        covering: found.filter((policy) => policy !== undefined),
        principal,
        action: { type: 'Action', id },
        resource: { type: 'ToolServer', id: server },
        charter,
        mode: modeOf(charter, actorOf(principal.id, info)),
        isRead: info.withGroups.has('read'),
      })
    },
    couldPermit(principal, id, server) {
      const action = targetOf(principal, id, server)
      if ('effect' in action) return false
      if (!action.withGroups.has('read') && modeOf(charter, actorOf(principal.id, action)) === 'observe') return false
      const found = coveringOf(principal, id, server)
        .map((policy) => policies.get(policy))
        .filter((policy) => policy !== undefined)
      if (found.some(({ effect, ask, json }) => effect === 'forbid' && !ask && json.conditions.length === 0)) return false
      return found.some(({ effect }) => effect === 'permit')
    },
  }
}
