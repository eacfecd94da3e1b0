/** Pure: what entries of the ledger say of holds and of harm, added up one entry after another. */
import type { JsonObject } from '@ephor/engine/kernel'
import type { Asked, Harmed } from './types.ts'

/** Decisions named for an action. */
const NAMED = 20

type Approval = {
  /** Of an application's policies: which one. */
  application: string | undefined
  policies: readonly string[]
  openedAt: number
  end?: 'approved' | 'denied' | 'undecided'
  tookMs?: number
}
type Permit = { action: string; policies: readonly string[] }

export type Seen = {
  decisions: number
  approvals: Map<string, Approval>
  /** The application whose policies held a decision, by the decision, until its approval is seen. */
  held: Map<string, string>
  /** Who approved, by policy. */
  approvers: Map<string, Set<string>>
  permits: Map<string, number>
  /** By the decision, then by the person: what each said last counts. */
  reports: Map<string, Map<string, boolean>>
  reported: Map<string, Permit>
}

export const nothingSeen = (): Seen => ({
  decisions: 0,
  approvals: new Map(),
  held: new Map(),
  approvers: new Map(),
  permits: new Map(),
  reports: new Map(),
  reported: new Map(),
})

const timeOf = (body: JsonObject) => Date.parse(body['at'] as string)

/** An application's policies and actions are named apart: ours may have the same names. */
const named = (application: string | undefined, name: string) => (application === undefined ? name : `${application}: ${name}`)

const applicationOf = ({ door, server }: JsonObject) => (door === 'mcp' || door === 'api' ? undefined : (server as string))

/** `server/tool` of a recorded decision, the method of what is no tool, `application: action` of what an application was asked. */
export function actionOf(body: JsonObject): string {
  const { tool, method, action } = body as { tool?: { server: string; name: string }; method: string; action?: string }
  return tool ? `${tool.server}/${tool.name}` : named(applicationOf(body), action ?? method)
}

/** Named as `askedOf` names them. */
export const policiesOf = (body: JsonObject): string[] =>
  ((body['reasons'] ?? []) as string[]).map((policy) => named(applicationOf(body), policy))

function seeDecision(seen: Seen, body: JsonObject): void {
  seen.decisions++
  const application = applicationOf(body)
  if (body['effect'] === 'hold' && application !== undefined) seen.held.set(body['id'] as string, application)
  if (body['effect'] !== 'permit') return
  const action = actionOf(body)
  seen.permits.set(action, (seen.permits.get(action) ?? 0) + 1)
}

function seeVote(seen: Seen, approval: Approval | undefined, body: JsonObject): void {
  const { verdict, by, policies } = body as { verdict: string; by: string; policies: string[] }
  if (verdict !== 'approve' || !approval) return
  for (const policy of policies.map((name) => named(approval.application, name)))
    seen.approvers.set(policy, (seen.approvers.get(policy) ?? new Set()).add(by))
}

/** Entries are those of the ledger, in their order; of other kinds there is nothing to see. */
export function see(seen: Seen, body: JsonObject): void {
  const approval = seen.approvals.get(body['approval'] as string)
  switch (body['type']) {
    case 'decision':
      return seeDecision(seen, body)
    case 'approval.opened': {
      const decision = body['decision'] as string
      const application = seen.held.get(decision)
      seen.held.delete(decision)
      const policies = (body['asks'] as { policy: string }[]).map(({ policy }) => named(application, policy))
      seen.approvals.set(body['approval'] as string, { application, policies, openedAt: timeOf(body) })
      return undefined
    }
    case 'approval.voted':
      return seeVote(seen, approval, body)
    case 'approval.decided':
      if (approval)
        Object.assign(approval, { end: body['verdict'] === 'approve' ? 'approved' : 'denied', tookMs: timeOf(body) - approval.openedAt })
      return undefined
    case 'approval.expired':
      // One that was approved and never used was approved all the same.
      if (approval) approval.end ??= 'undecided'
      return undefined
    case 'decision.reported': {
      const { decision, by, harmful, action, policies } = body as unknown as Permit & { decision: string; by: string; harmful: boolean }
      seen.reports.set(decision, (seen.reports.get(decision) ?? new Map<string, boolean>()).set(by, harmful))
      seen.reported.set(decision, { action, policies })
    }
  }
  return undefined
}

function median(sorted: readonly number[]): number | undefined {
  return sorted[Math.floor((sorted.length - 1) / 2)]
}

/** By policy, the most holds first. */
export function askedOf({ approvals, approvers }: Seen): Asked[] {
  const byPolicy = new Map<string, Approval[]>()
  for (const approval of approvals.values())
    for (const policy of approval.policies) byPolicy.set(policy, [...(byPolicy.get(policy) ?? []), approval])
  const rows = [...byPolicy].map(([policy, all]): Asked => {
    const ended = (end: Approval['end']) => all.filter((one) => one.end === end).length
    const took = all.flatMap(({ tookMs }) => (tookMs === undefined ? [] : [tookMs])).toSorted((a, b) => a - b)
    return {
      policy,
      holds: all.length,
      approved: ended('approved'),
      denied: ended('denied'),
      undecided: ended('undecided'),
      pending: ended(undefined),
      medianMs: median(took),
      approvers: approvers.get(policy)?.size ?? 0,
    }
  })
  return rows.toSorted((a, b) => b.holds - a.holds || (a.policy < b.policy ? -1 : 1))
}

/** By action, the most harm first. A decision counts as harmful while anybody who reported it says so. */
export function harmedOf({ permits, reports, reported }: Seen): Harmed[] {
  const rows = new Map<string, Harmed>()
  for (const [decision, { action, policies }] of reported) {
    if (![...(reports.get(decision)?.values() ?? [])].includes(true)) continue
    const row = rows.get(action) ?? { action, permits: permits.get(action) ?? 0, harmful: 0, policies: [], decisions: [] }
    row.harmful++
    row.policies = [...new Set([...row.policies, ...policies])].toSorted()
    if (row.decisions.length < NAMED) row.decisions.push(decision)
    rows.set(action, row)
  }
  return [...rows.values()].toSorted((a, b) => b.harmful - a.harmful || (a.action < b.action ? -1 : 1))
}
