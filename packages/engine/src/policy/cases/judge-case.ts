/** Compares a decision with what a case expects of it. */
import type { Decision } from '../types.ts'
import type { TestCase } from './case-file.ts'

/** A policy by its whole id, or by the part after the file. */
export const isCalled = (id: string, name: string) => id === name || id.endsWith(`/${name}`)

const sorted = (values: readonly unknown[]) => values.map((value) => JSON.stringify(value)).toSorted()
const list = (values: readonly unknown[]) => (values.length === 0 ? 'none' : sorted(values).join(', '))
const same = (a: readonly unknown[], b: readonly unknown[]) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))

function hasReason(decision: Decision, reason: string): boolean {
  if (decision.effect === 'deny' && decision.fault === reason) return true
  return decision.reasons.some(({ policy, text }) => isCalled(policy, reason) || text.includes(reason))
}

/** Each name one policy, each policy one name. */
const sameIds = (ids: readonly string[], names: readonly string[]) =>
  ids.length === names.length && names.every((name) => ids.some((id) => isCalled(id, name)))

function reasonsProblem({ reasons }: Decision, { reasons: names }: TestCase): string | undefined {
  const ids = reasons.map(({ policy }) => policy)
  return names === undefined || sameIds(ids, names) ? undefined : `reasons: expected ${list(names)}, got ${list(ids)}`
}

/** Members in one order, whoever wrote them; without whose they are. */
const ordered = (value: object) =>
  Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== 'policy' && name !== 'reason')
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )

function obligationsProblem(decision: Decision, { obligations: wanted }: TestCase): string | undefined {
  if (wanted === undefined) return undefined
  const given = decision.effect === 'deny' ? [] : decision.obligations.map(ordered)
  return same(given, wanted.map(ordered)) ? undefined : `obligations: expected ${list(wanted.map(ordered))}, got ${list(given)}`
}

function approvalsProblem(decision: Decision, { approvals: wanted }: TestCase): string | undefined {
  if (wanted === undefined) return undefined
  const asks = decision.effect === 'hold' ? decision.asks : []
  const names = Object.keys(wanted)
  const ids = asks.map(({ policy }) => policy)
  if (!sameIds(ids, names)) return `approvals: expected asks of ${list(names)}, got ${list(ids)}`
  for (const ask of asks) {
    const { policy } = ask
    const name = names.find((one) => isCalled(policy, one)) ?? ''
    const [given, expected] = [ordered(ask), ordered(wanted[name] ?? {})]
    if (!same([given], [expected])) return `approvals: expected ${policy} to ask ${JSON.stringify(expected)}, got ${JSON.stringify(given)}`
  }
  return undefined
}

export type Judgement = { ok: boolean; expected: string; got: string }

export function judgeCase(test: TestCase, decision: Decision): Judgement {
  const { expect, reason, risk } = test
  const details = [
    reasonsProblem(decision, test),
    obligationsProblem(decision, test),
    approvalsProblem(decision, test),
    risk === undefined || decision.risk?.tier === risk ? undefined : `risk: expected ${risk}, got ${decision.risk?.tier ?? 'none'}`,
  ].filter((problem) => problem !== undefined)
  const effect = decision.effect === 'deny' ? `deny (${decision.fault})` : decision.effect
  const because = decision.reasons.map(({ policy }) => policy).join(', ')
  const got = because === '' ? effect : `${effect} because of ${because}`
  return {
    ok: decision.effect === expect && (reason === undefined || hasReason(decision, reason)) && details.length === 0,
    expected: reason === undefined ? expect : `${expect} because of ${reason}`,
    got: [got, ...details].join('; '),
  }
}
