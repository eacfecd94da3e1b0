/** Rollouts over HTTP, for people: who proposes, reviews and publishes is who is signed in. */
import { policyVersionsOperations } from '@ephor/contract'
import type { ProposalDetail } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate, Json } from '@ephor/engine/kernel'
import type { Policy } from '@ephor/engine/policy'
import type { FastifyInstance } from 'fastify'
import type { z } from 'zod'
import type { Rollouts } from './open-rollouts.ts'
import { changedFiles, p99 } from './rules.ts'
import type { Proposal } from './types.ts'

function viewOf({ id, version, base, author, changes, state, openedAt, changedAt, percent }: Proposal) {
  return {
    id,
    version,
    author,
    changes,
    state,
    openedAt: isoTime(openedAt),
    changedAt: isoTime(changedAt),
    ...(base === undefined ? {} : { base }),
    ...(percent === undefined ? {} : { percent }),
  }
}

async function detailOf(rollouts: Rollouts, id: string): Promise<z.input<typeof ProposalDetail>> {
  const { proposal, files, before, reviews, words, backtest: own, waitsFor } = await rollouts.dossier(id)
  const { findings, tests, analysis, backtest } = proposal.checks
  const { why, impact } = words['proposed'] ?? {}
  return {
    ...viewOf(proposal),
    ...(why === undefined ? {} : { why }),
    ...(impact === undefined ? {} : { impact }),
    files: changedFiles(before, files),
    findings,
    tests,
    ...(analysis === undefined ? {} : { analysis: analysis as Json }),
    ...(backtest === undefined ? {} : { backtest: backtest as Json }),
    ...(own === undefined ? {} : { ownBacktest: own }),
    reviews: reviews.map(({ person, verdict, at }) => {
      const { note } = words[person] ?? {}
      return { person, verdict, at: isoTime(at), ...(note === undefined ? {} : { note }) }
    }),
    waitsFor,
  }
}

async function rolloutView(rollouts: Rollouts, policy: Pick<Policy, 'versions'>) {
  const { version, governor, stage } = policy.versions.live()
  const trial = await rollouts.trial()
  const common = { ...(version === undefined ? {} : { active: version }), ...(governor ? { governor: governor.version } : {}) }
  if (!stage || !trial) return common
  const { proposal, figures, rules, differences } = trial
  const { decisions, active, tried, escalated, observed } = figures
  const slowest = p99(figures)
  return {
    ...common,
    trial: {
      proposal: proposal.id,
      ...stage,
      observedMs: observed,
      decisions,
      active,
      tried,
      escalated,
      ...(slowest === undefined || slowest === Infinity ? {} : { p99Ms: slowest }),
      rules: rules.map((rule) => ({ ...rule, figure: rule.figure === Infinity ? Number.MAX_SAFE_INTEGER : rule.figure })),
      differences: differences.map(({ lastAt, ...rest }) => ({ ...rest, lastAt: isoTime(lastAt) })),
    },
  }
}

export function mountRollouts(
  app: FastifyInstance,
  rollouts: Rollouts,
  policy: Pick<Policy, 'versions'>,
  authenticate: Authenticate,
): void {
  mount(
    app,
    policyVersionsOperations,
    {
      async proposePolicy({ body, principal }) {
        const { id } = await rollouts.propose(principal.id, body)
        return detailOf(rollouts, id)
      },
      async listProposals({ query }) {
        const page = await rollouts.list(query)
        return { ...page, items: page.items.map(viewOf) }
      },
      showProposal: ({ params }) => detailOf(rollouts, params.id),
      async reviewProposal({ params, body, principal }) {
        await rollouts.review(params.id, principal.id, body)
        return detailOf(rollouts, params.id)
      },
      async publishProposal({ params, body: { mode, percent = 100 }, principal }) {
        await rollouts.take(params.id, principal.id, { mode, percent })
        return detailOf(rollouts, params.id)
      },
      async promoteProposal({ params, principal }) {
        await rollouts.take(params.id, principal.id, { mode: 'active', percent: 100 })
        return detailOf(rollouts, params.id)
      },
      async withdrawProposal({ params, principal }) {
        await rollouts.withdraw(params.id, principal.id)
        return detailOf(rollouts, params.id)
      },
      rollbackPolicy: ({ body, principal }) => rollouts.rollback(principal.id, body),
      async listPolicyVersions({ query }) {
        const { activation: current } = policy.versions.live()
        const items = await rollouts.history(query.limit)
        return {
          items: items.map(({ activation, version, activatedAt }) => ({
            activation,
            version,
            activatedAt: isoTime(activatedAt),
            active: activation === current,
          })),
        }
      },
      showRollout: () => rolloutView(rollouts, policy),
    },
    authenticate,
  )
}
