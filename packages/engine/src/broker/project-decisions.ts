/** What the broker's rows should be, by the entries of decisions and outcomes: each decision is compared as it passes, and forgotten. */
import type { Json, JsonObject, Store } from '@ephor/engine/kernel'
import { asText, checkHeld, entryType, joinChecks, ProjectedTable, readJson, Uncovered } from '@ephor/engine/ledger'
import type { Entry, Ledger, Place, ProjectedRow, Projector, StoredRow } from '@ephor/engine/ledger'
import { digestOfTexts } from './store.ts'

const TABLE = 'broker_decision'
const PERMITTED = 'broker_permitted'
/** The columns that only a digest in the entry speaks for. */
const TEXTS = 'at, reasons, risk_score, idempotency, detail'

const timeOf = (value: Json | undefined) => (typeof value === 'string' ? Date.parse(value) : null)
const objectOf = (value: Json | undefined): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
const isSpent = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

function policiesOf(reasons: Json): Json {
  return Array.isArray(reasons) ? reasons.map((reason) => objectOf(reason)['policy'] ?? null) : reasons
}

function shape(row: StoredRow): ProjectedRow {
  const { id, door, agent, session, method, server, tool, kind, risk, effect, fault, approval, policy, digest, deadline } = row
  const plain = { id, door, agent, session, method, server, tool, kind, risk, effect, fault, approval, policy, digest, deadline }
  return {
    ...(plain as ProjectedRow),
    outcome: row['outcome'] as string | null,
    outcome_at: row['outcome_at'] as number | null,
    obligations: readJson(row['obligations']),
    spends: readJson(row['spends']),
    reasons: policiesOf(readJson(row['reasons'])),
    [TEXTS]: digestOfTexts(row as never),
  }
}

/** The agent whose row it is, and its tool: a server's request and an enforcement point's question name them elsewhere. */
function whoseCall(body: JsonObject): { agent: Json; tool: Json; kind: Json; risk: Json } {
  const principal = objectOf(body['principal'])
  const { name = null, kind = null, risk = null } = objectOf(body['tool'])
  if (principal['type'] === 'tool-server') return { agent: body['agent'] ?? null, tool: null, kind: null, risk: null }
  const isAccess = principal['type'] === 'enforcement-point'
  return { agent: principal['id'] ?? null, tool: isAccess ? (body['action'] ?? null) : name, kind, risk }
}

function expectedRow(body: JsonObject): ProjectedRow {
  const { id = null, door = null, session = null, method = null, server = '', effect = null, digest = null, budgets, texts } = body
  const { fault = null, approval = null, policy = null, obligations = [], reasons = [] } = body
  const spends = Array.isArray(budgets) ? budgets.filter(isSpent).map((spend) => ({ ...spend, start: timeOf(spend['start']) })) : null
  return {
    id,
    door,
    session,
    method,
    server,
    effect,
    digest,
    fault,
    approval,
    policy,
    obligations,
    spends,
    ...whoseCall(body),
    reasons,
    ...(texts === undefined ? {} : { [TEXTS]: texts }),
    // Entries of before don't say the deadline of a server's request.
    ...(texts === undefined && body['deadline'] === undefined ? {} : { deadline: timeOf(body['deadline']) }),
  }
}

export function brokerProjector({ store, ledger }: { store: Store; ledger: Pick<Ledger, 'find'> }): Projector {
  const decisions = new ProjectedTable({ store, table: TABLE, key: ['id'], shape })
  const permitted = new Map<string, ProjectedRow>()
  const uncovered = new Uncovered()
  let [outcomes, last] = [0, -1]

  function takeDecision(body: JsonObject): void {
    const row = expectedRow(body)
    decisions.expect(row)
    if (body['texts'] === undefined) uncovered.add(TABLE, asText(row['id']), TEXTS)
    const { agent, server, tool } = row as Record<string, string>
    const isAgents = objectOf(body['principal'])['type'] === 'agent'
    if (isAgents && row['effect'] === 'permit' && tool !== null && tool !== undefined)
      permitted.set(JSON.stringify([agent, server, tool]), { agent: agent ?? null, server: server ?? null, tool })
  }

  function takeOutcome({ decision = null, status = null, endedAt }: JsonObject): void {
    outcomes++
    decisions.amend({ id: decision, outcome: status, ...(endedAt === undefined ? {} : { outcome_at: timeOf(endedAt) }) })
    if (endedAt === undefined) uncovered.add(TABLE, asText(decision), 'outcome_at')
  }

  async function placeOf(id: string): Promise<Place> {
    const entry = await ledger.find(id)
    return entry === undefined ? 'none' : entry.seq > last ? 'later' : 'taken'
  }

  return {
    take(entry: Entry) {
      last = entry.seq
      const type = entryType(entry)
      if (type === 'decision') takeDecision(entry.body)
      else if (type === 'outcome') takeOutcome(entry.body)
    },
    async finish() {
      const rows = await decisions.check([], ({ id }) => placeOf(asText(id)))
      const pairs = await checkHeld({ store, table: PERMITTED, key: ['agent', 'server', 'tool'] }, [...permitted.values()])
      for (const column of ['outcome', 'outcome_at']) {
        const more = (await decisions.having(column)) - outcomes
        for (const { id } of await decisions.unexplained(more, (row) => placeOf(`${asText(row['id'])}/outcome`), column))
          rows.differences.push({ table: TABLE, key: asText(id), field: column, detail: `the ledger has no outcome for its ${column}` })
      }
      return joinChecks([rows, pairs], uncovered)
    },
  }
}
