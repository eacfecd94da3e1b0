/** Checks a charter against the world: names that nothing has, budgets that can't be counted, a review that is overdue. */
import { nearest } from '../nearest.ts'
import type { Finding, PolicyFiles, PolicyWorld } from '../types.ts'
import { defaultCharter } from './charter.ts'
import type { Charter } from './charter.ts'
import { CHARTER_FILE, locate, parseCharter, readCharter } from './read-charter.ts'

export type CheckedCharter = {
  charter: Charter
  findings: Finding[]
  /** False when the text can't be read: then nothing is known of what it forbids. */
  readable: boolean
}

type Remark = {
  code: string
  severity: Finding['severity']
  path: (string | number)[]
  key?: string
  message: string
  suggestion?: string | undefined
}

/** What tool servers ask of clients is no agent's call, and takes of no budget. */
const UNCOUNTED = new Set(['server-request', 'sampling/createMessage', 'elicitation/create', 'roots/list'])

/** A name that is mistyped would silently restrict nothing. */
function checkActions(charter: Charter, actions: readonly string[]): Remark[] {
  const known = new Set(actions)
  const unknown = (name: string, at: Pick<Remark, 'path' | 'key'>): Remark[] => {
    if (known.has(name)) return []
    const near = nearest(name, actions)
    const suggestion = near === undefined ? undefined : `did you mean ${near}?`
    return [{ code: 'ACTION_UNKNOWN', severity: 'error', ...at, message: `there is no tool or action group ${name}`, suggestion }]
  }
  return [
    ...Object.keys(charter.tools).flatMap((name) => unknown(name, { path: ['tools'], key: name })),
    ...Object.entries(charter.budgets).flatMap(([budget, { covers }]) =>
      covers.flatMap((name, i): Remark[] => {
        const path = ['budgets', budget, 'covers', i]
        if (!UNCOUNTED.has(name)) return unknown(name, { path })
        return [{ code: 'ACTION_UNCOUNTED', severity: 'error', path, message: `${name} is asked by tool servers, and no budget counts it` }]
      }),
    ),
    ...charter.autonomy.rules.flatMap(({ actions: named = [] }, rule) =>
      named.flatMap((name, i) => unknown(name, { path: ['autonomy', 'rules', rule, 'actions', i] })),
    ),
  ]
}

function checkAgents(charter: Charter, { agents }: PolicyWorld): Remark[] {
  const known = new Set(agents.flatMap(({ id, groups = [] }) => [id, ...groups.map((group) => `group:${group}`)]))
  const lists: [(string | number)[], readonly string[]][] = [
    ...charter.autonomy.rules.map(({ agents: named = [] }, i): [(string | number)[], readonly string[]] => [
      ['autonomy', 'rules', i, 'agents'],
      named,
    ]),
    ...Object.entries(charter.budgets).map(([name, budget]): [(string | number)[], readonly string[]] => [
      ['budgets', name, 'agents'],
      budget.agents ?? [],
    ]),
  ]
  return lists.flatMap(([path, named]) =>
    named.flatMap((name, i): Remark[] =>
      known.has(name)
        ? []
        : [{ code: 'AGENT_UNKNOWN', severity: 'warning', path: [...path, i], message: `no agent is, or is in, ${name}` }],
    ),
  )
}

/** A tool whose amount stands nowhere is refused by a budget that counts money. */
function checkMoney({ budgets, tools }: Charter, world: PolicyWorld): Remark[] {
  return Object.entries(budgets).flatMap(([name, { measure, covers }]): Remark[] => {
    if (measure !== 'money') return []
    const uncounted = world.tools
      .filter(({ server, name: tool, kind, risk }) =>
        covers.some((one) => [`${server}/${tool}`, kind, `risk:${risk}`, 'tools/call'].includes(one)),
      )
      .map(({ server, name: tool }) => `${server}/${tool}`)
      .filter((tool) => !tools[tool]?.amount)
    if (uncounted.length === 0) return []
    const message = `calls of ${uncounted.slice(0, 5).join(', ')}${uncounted.length > 5 ? ' and others' : ''} are refused: their amount is not declared`
    const suggestion = `say where it stands: tools: { ${uncounted[0]}: { amount: { at: /amount, currency: EUR } } }`
    return [{ code: 'AMOUNT_UNDECLARED', severity: 'warning', path: ['budgets'], key: name, message, suggestion }]
  })
}

/** @returns the warning when the last review is longer ago than the charter allows */
export function reviewOverdue(files: PolicyFiles, { review }: Charter, now: number): Finding[] {
  if (!review || now <= Date.parse(review.last) + review.every) return []
  const { document, lines } = parseCharter(files[CHARTER_FILE] ?? '')
  const message = `the last review of these policies was on ${review.last}, and the next is overdue`
  const suggestion = 'review them, and write the date here'
  const place = locate(document, lines, ['review', 'last'])
  return [{ code: 'CHARTER_REVIEW_OVERDUE', severity: 'warning', file: CHARTER_FILE, ...place, message, suggestion }]
}

/** @param actions every action and action group that there is */
export function checkCharter(files: PolicyFiles, world: PolicyWorld, actions: readonly string[]): CheckedCharter {
  const text = files[CHARTER_FILE]
  if (text === undefined) return { charter: defaultCharter, findings: [], readable: true }
  const read = readCharter(text)
  if ('findings' in read) return { charter: defaultCharter, findings: read.findings, readable: false }
  const { charter } = read
  const { document, lines } = parseCharter(text)
  const remarks = [...checkActions(charter, actions), ...checkAgents(charter, world), ...checkMoney(charter, world)]
  const findings = remarks.map(({ path, key, suggestion, ...remark }): Finding => ({
    ...remark,
    file: CHARTER_FILE,
    ...locate(document, lines, path, key),
    ...(suggestion === undefined ? {} : { suggestion }),
  }))
  return { charter, findings, readable: true }
}
