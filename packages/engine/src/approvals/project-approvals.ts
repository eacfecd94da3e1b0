/** What approvals and votes should be, by their entries: those that have ended are compared as they pass, and forgotten. */
import type { JsonObject, Store } from '@ephor/engine/kernel'
import { asText, entryType, joinChecks, ProjectedTable, readJson, Uncovered } from '@ephor/engine/ledger'
import type { Entry, Ledger, Place, ProjectedRow, Projector, StoredRow } from '@ephor/engine/ledger'
import { digestOfKey } from './decide.ts'
import { digestOfTexts } from './parts.ts'
import { afterVote, expiryOf, nextPassing } from './rules.ts'
import type { Approval, AskState } from './types.ts'

const TABLE = 'approvals_request'
const VOTES = 'approvals_vote'
/** The columns that only a digest in the opening entry speaks for, with the reason of each ask. */
const TEXTS = 'summary, reasons, asks'
const SENT = 'key, request'

/** An approval that has not ended. Undefined times are those that entries of before don't say. */
type Open = Pick<Approval, 'state' | 'openedAt' | 'step'> & {
  row: ProjectedRow
  asks: AskState[]
  expiresAt: number | undefined
  decidedAt: number | null | undefined
  dueAt: number | null
  spentBy: string | null
}

const sealed = (asks: readonly AskState[]) =>
  asks.map(({ policy, quorum, deadlineMs, group, escalate, escalated }) => ({
    policy,
    quorum,
    deadlineMs,
    escalated,
    group: group ?? null,
    escalate: escalate ?? null,
  }))

function textsOf(row: StoredRow): string {
  try {
    const [reasons, asks] = [row['reasons'], row['asks']].map((text) => JSON.parse(asText(text)) as never)
    return digestOfTexts({ summary: asText(row['summary']), reasons: reasons as never, asks: asks as never })
  } catch {
    return 'unreadable'
  }
}

function shape(row: StoredRow): ProjectedRow {
  const { summary: _, reasons: __, asks, ...plain } = row as Record<string, string | number | null>
  const read = readJson(asks)
  return { ...plain, asks: Array.isArray(read) ? sealed(read as never) : read, [TEXTS]: textsOf(row) }
}

function voteShape(row: StoredRow): ProjectedRow {
  const { key, request, ...plain } = row as Record<string, string | number | null>
  const sent = key === null && request === null ? null : digestOfKey({ key: asText(key), request: asText(request) })
  return { ...plain, [SENT]: sent }
}

/** Approvals from before there were quorums: their entries say neither deadlines nor votes. */
function isOld({ asks }: JsonObject): boolean {
  return !Array.isArray(asks) || asks.some((ask) => typeof (ask as JsonObject | null)?.['deadlineMs'] !== 'number')
}

function opened(body: JsonObject): Open {
  const { approval = null, decision = null, digest = null, agent = null, server = null, tool = null, requesters, expiresAt, texts } = body
  const asks = (body['asks'] as unknown as AskState[]).map((ask) => ({ ...ask, escalated: false, by: [] as string[] }))
  // Nobody has answered yet: the approval ends at the first deadline, or at its second where a group takes over.
  const openedAt = Number(expiresAt) - expiryOf({ openedAt: 0, asks }, 0)
  const row = { id: approval, decision, digest, agent, server, tool, requesters: JSON.stringify(requesters) }
  return {
    row: { ...row, opened_at: openedAt, ...(texts === undefined ? {} : { [TEXTS]: texts }) },
    state: 'pending',
    openedAt,
    step: 0,
    asks,
    expiresAt: Number(expiresAt),
    decidedAt: null,
    dueAt: nextPassing({ openedAt, asks }) ?? null,
    spentBy: null,
  }
}

function toRow({ row, state, step, asks, expiresAt, decidedAt, dueAt, spentBy }: Open): ProjectedRow {
  return {
    ...row,
    state,
    step,
    asks: sealed(asks),
    due_at: dueAt,
    spent_by: spentBy,
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    ...(decidedAt === undefined ? {} : { decided_at: decidedAt }),
  }
}

/** One entry's effect on an approval. */
const STEPS: Record<string, (open: Open, body: JsonObject) => void> = {
  'approval.voted': (open, body) => {
    const at = body['votedAt'] as number | undefined
    const { state, asks } = afterVote(open.asks, body as never)
    Object.assign(open, { state, asks, step: open.step + 1, dueAt: nextPassing({ openedAt: open.openedAt, asks }) ?? null })
    // Entries of before don't say when: then neither when it was decided nor, once approved, until when it holds.
    if (state !== 'pending') open.decidedAt = at
    if (state === 'approved' && at === undefined) open.expiresAt = undefined
    else if (state !== 'denied' && at !== undefined) open.expiresAt = expiryOf({ openedAt: open.openedAt, asks }, at)
  },
  'approval.escalated': (open, { policies }) => {
    open.asks = open.asks.map((ask) => ((policies as string[]).includes(ask.policy) ? { ...ask, escalated: true } : ask))
    open.step++
    open.dueAt = nextPassing(open) ?? null
  },
  'approval.spent': (open, { by }) => void Object.assign(open, { state: 'spent', spentBy: by }),
  'approval.expired': (open, { was, endedAt }) => {
    open.state = 'expired'
    if (was === 'withdrawn' || was === 'outgrown') open.expiresAt = endedAt as number | undefined
  },
}

const ENDED = new Set(['denied', 'spent', 'expired'])

export function approvalsProjector({ store, ledger }: { store: Store; ledger: Pick<Ledger, 'find'> }): Projector {
  const requests = new ProjectedTable({ store, table: TABLE, key: ['id'], shape })
  const votes = new ProjectedTable({ store, table: VOTES, key: ['approval', 'step'], shape: voteShape })
  const open = new Map<string, Open>()
  const uncovered = new Uncovered()
  const old = new Set<string>()
  let last = -1

  function takeVote(id: string, step: number, { by, verdict, policies, votedAt, sent = null }: JsonObject): void {
    const row = { approval: id, step, person: by ?? null, verdict: verdict ?? null, policies: JSON.stringify(policies) }
    votes.expect(votedAt === undefined ? row : { ...row, at: votedAt, [SENT]: sent })
    if (votedAt === undefined) uncovered.add(VOTES, `${id}/${step}`, `at, ${SENT}`)
  }

  function take(type: string, body: JsonObject): void {
    const id = asText(body['approval'])
    if (type === 'approval.opened' && isOld(body)) {
      const { decision = null, digest = null, agent = null, server = null, tool = null } = body
      requests.expect({ id, decision, digest, agent, server, tool })
      old.add(id)
      uncovered.add(TABLE, id, 'all but what was asked for')
      uncovered.add(VOTES, id, 'all its columns')
      return
    }
    if (type === 'approval.opened') {
      open.set(id, opened(body))
      if (body['texts'] === undefined) uncovered.add(TABLE, id, TEXTS)
      return
    }
    const one = open.get(id)
    const step = STEPS[type]
    if (!one || !step) return
    if (type === 'approval.voted') takeVote(id, one.step, body)
    step(one, body)
    if (one.expiresAt === undefined || one.decidedAt === undefined) uncovered.add(TABLE, id, 'expires_at, decided_at')
    if (!ENDED.has(one.state)) return
    requests.expect(toRow(one))
    open.delete(id)
  }

  async function placeOf(id: string): Promise<Place> {
    const entry = await ledger.find(id)
    return entry === undefined ? 'none' : entry.seq > last ? 'later' : 'taken'
  }

  return {
    take(entry: Entry) {
      last = entry.seq
      const type = entryType(entry)
      if (type.startsWith('approval.')) take(type, entry.body)
    },
    async finish() {
      const checked = await requests.check([...open.values()].map(toRow), ({ id }) => placeOf(`${asText(id)}/opened`))
      const voted = await votes.check([], async ({ approval, step }) => {
        if (old.has(asText(approval))) return 'later'
        const entry = await ledger.find(`${asText(approval)}/step/${asText(step)}`)
        return entry && entryType(entry) !== 'approval.voted' ? 'none' : placeOf(`${asText(approval)}/step/${asText(step)}`)
      })
      return joinChecks([checked, voted], uncovered)
    },
  }
}
