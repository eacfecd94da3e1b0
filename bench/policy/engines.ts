/** The benchmark's rules in other engines, each as its documentation says, and in plain JavaScript, which is the floor. */
import { ConflictResolutionStrategy, PolicyEngine } from '@microsoft/agent-governance-sdk'
import { Environment } from '@marcbachmann/cel-js'
import { newEnforcer, newModelFromString } from 'casbin'
import { testsText } from './workload.ts'
import type { Request, Rule, Test } from './workload.ts'

export type Decide = (request: Request) => boolean | Promise<boolean>
export type Engine = {
  name: string
  /** Everything that can be done before the first request. */
  open: (rules: readonly Rule[]) => Decide | Promise<Decide>
}

type Closure = (request: Request) => boolean

function testClosure({ attribute, sign, value }: Test): Closure {
  if (sign === '<') return ({ context }) => (context[attribute] as number) < Number(value)
  if (sign === '>=') return ({ context }) => (context[attribute] as number) >= Number(value)
  return ({ context }) => context[attribute] === value
}

function ruleClosure({ tool, team, folder, tests }: Rule): Closure {
  const closures = tests.map(testClosure)
  return (request) => {
    if (tool !== undefined && request.tool !== tool) return false
    if (team !== undefined && request.team !== team) return false
    if (folder !== undefined && request.folder !== folder) return false
    for (const test of closures) if (!test(request)) return false
    return true
  }
}

type Compiled = { effect: Rule['effect']; tool: string | undefined; holds: Closure }

/** Denies by default; a forbid wins. All rules are looked at, since an answer names every one that holds. */
function decide(rules: readonly Compiled[], request: Request): boolean {
  let [permits, forbids] = [0, 0]
  for (const { effect, holds } of rules) {
    if (!holds(request)) continue
    if (effect === 'permit') permits++
    else forbids++
  }
  return permits > 0 && forbids === 0
}

function indexed(rules: readonly Compiled[]): Closure {
  const always = rules.filter(({ tool }) => tool === undefined)
  const byTool = Map.groupBy(rules, ({ tool }) => tool)
  const buckets = new Map([...byTool].map(([tool, own]) => [tool, tool === undefined ? own : [...always, ...own]]))
  return (request) => decide(buckets.get(request.tool) ?? always, request)
}

const closures = (rules: readonly Rule[]): Compiled[] =>
  rules.map((rule) => ({ effect: rule.effect, tool: rule.tool, holds: ruleClosure(rule) }))

function linear(rules: readonly Rule[]): Decide {
  const all = closures(rules)
  return (request) => decide(all, request)
}

function cel(rules: readonly Rule[]): Decide {
  const environment = new Environment({ unlistedVariablesAreDyn: true })
  const compiled = rules.map(({ effect, tool, team, folder, tests }): Compiled => {
    const scope = [team && `team == "${team}"`, folder && `folder == "${folder}"`].filter(Boolean)
    const program = environment.parse([...scope, testsText(tests, (name) => `context.${name}`)].join(' && '))
    return { effect, tool, holds: (request) => program(request) === true }
  })
  return indexed(compiled)
}

const MODEL = `
[request_definition]
r = team, tool, folder, context
[policy_definition]
p = team, tool, folder, rule, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = (p.tool == "*" || r.tool == p.tool) && (p.team == "*" || r.team == p.team) && (p.folder == "*" || r.folder == p.folder) && eval(p.rule)
`

async function casbin(rules: readonly Rule[]): Promise<Decide> {
  const enforcer = await newEnforcer(newModelFromString(MODEL))
  const policies = rules.map(({ effect, team = '*', tool = '*', folder = '*', tests }) => {
    const rule = testsText(tests, (name) => `r.context.${name}`)
    return [team, tool, folder, rule, effect === 'permit' ? 'allow' : 'deny']
  })
  // Casbin refuses a rule that it has already.
  await enforcer.addPolicies([...new Map(policies.map((policy) => [policy.join('\n'), policy])).values()])
  return ({ team, tool, folder, context }) => enforcer.enforce(team, tool, folder, context)
}

function governance(rules: readonly Rule[]): Decide {
  const engine = new PolicyEngine([], ConflictResolutionStrategy.DenyOverrides)
  engine.loadPolicy({
    name: 'bench',
    scope: 'global',
    default_action: 'deny',
    rules: rules.map(({ effect, tool, team, folder, tests }, i) => {
      const scope = Object.entries({ tool, team, folder }).flatMap(([name, value]) => (value === undefined ? [] : `${name} == "${value}"`))
      return {
        name: `rule${i}`,
        condition: [...scope, testsText(tests, (name) => name, ' and ')].join(' and '),
        ruleAction: effect === 'permit' ? 'allow' : 'deny',
      }
    }),
  })
  return ({ agent, team, tool, folder, context }) => engine.evaluatePolicy(agent, { team, tool, folder, ...context }).allowed
}

export const otherEngines: Engine[] = [
  { name: 'floor: JavaScript closures, one by one', open: linear },
  { name: 'floor: JavaScript closures, indexed by tool', open: (rules) => indexed(closures(rules)) },
  { name: '@marcbachmann/cel-js, indexed by tool', open: cel },
  { name: 'casbin', open: casbin },
  { name: '@microsoft/agent-governance-sdk', open: governance },
]
