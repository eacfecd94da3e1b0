/** What the policy engines are asked: the same rules and requests for all, in a form that each can be given in its own language. */

export type Test = { attribute: string; sign: '<' | '>=' | '=='; value: number | string | boolean }
/** Scopes that are absent cover everything. */
export type Rule = { effect: 'permit' | 'forbid'; tool?: string; team?: string; folder?: string; tests: Test[] }
export type Request = { agent: string; team: string; tool: string; file: string; folder: string; context: Record<string, unknown> }

const TOOLS = 100
const REQUESTS = 256
const REGIONS = ['eu', 'us', 'apac']
const ENVIRONMENTS = ['production', 'staging']

/** The same numbers each time: a linear congruential generator. */
function makeRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

export const team = (n: number) => `team${n}`
export const folder = (n: number) => `folder${n}`

/** Two rules for everything; the others are for one tool each, every third for a team too, every fourth for a folder too. */
export function makeRules(count: number): Rule[] {
  const random = makeRandom(count)
  return Array.from({ length: count }, (_, i): Rule => {
    if (i === 0) return { effect: 'forbid', tests: [{ attribute: 'score', sign: '>=', value: 95 }] }
    if (i === 1)
      return {
        effect: 'forbid',
        tests: [
          { attribute: 'weekend', sign: '==', value: true },
          { attribute: 'amount', sign: '>=', value: 9000 },
        ],
      }
    const tests: Test[] = [
      { attribute: 'amount', sign: '<', value: 100 * (1 + random(100)) },
      { attribute: 'region', sign: '==', value: REGIONS[random(3)] ?? '' },
    ]
    if (i % 2 === 0) tests.push({ attribute: 'env', sign: '==', value: ENVIRONMENTS[random(2)] ?? '' })
    return {
      effect: i % 5 === 4 ? 'forbid' : 'permit',
      tool: `tool${i % TOOLS}`,
      ...(i % 3 === 0 ? { team: team(random(3)) } : {}),
      ...(i % 4 === 0 ? { folder: folder(random(2)) } : {}),
      tests,
    }
  })
}

/** Fifteen attributes each; only of tools that some rule names. */
export function makeRequests(rules: readonly Rule[]): Request[] {
  const random = makeRandom(7)
  const tools = [...new Set(rules.flatMap(({ tool }) => tool ?? []))]
  return Array.from({ length: REQUESTS }, () => {
    const [agent, file] = [random(3), random(2)]
    return {
      agent: `agent${agent}`,
      team: team(agent),
      tool: tools[random(tools.length)] ?? '',
      file: `file${file}`,
      folder: folder(file),
      context: {
        amount: random(10_000),
        size: random(1_000_000),
        score: random(100),
        calls: random(500),
        hour: random(24),
        region: REGIONS[random(3)],
        env: ENVIRONMENTS[random(2)],
        tier: ['low', 'high'][random(2)],
        channel: ['mcp', 'api'][random(2)],
        purpose: `ticket ${random(1000)}`,
        path: `/srv/shared/${random(1000)}`,
        internal: random(2) === 1,
        verified: random(2) === 1,
        weekend: random(2) === 1,
        labels: ['external', 'personal'].slice(random(2)),
      },
    }
  })
}

const literal = (value: Test['value']) => (typeof value === 'string' ? `"${value}"` : String(value))

/** Tests in an expression language, where `name` says how an attribute is written and `and` what stands between two. */
export function testsText(tests: readonly Test[], name: (attribute: string) => string, and = ' && '): string {
  return tests.map(({ attribute, sign, value }) => `${name(attribute)} ${sign} ${literal(value)}`).join(and)
}
