/** Backtests over HTTP, for people. */
import { Fault, policyBacktestsOperations } from '@ephor/contract'
import type { BacktestDetail, BacktestView, PolicySource } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { Policy, PolicyFiles } from '@ephor/engine/policy'
import type { FastifyInstance } from 'fastify'
import type { Backtests } from './open-backtests.ts'
import type { Run } from './types.ts'

async function filesOf(policy: Pick<Policy, 'active' | 'versions'>, source: PolicySource): Promise<PolicyFiles> {
  if (source === 'active') return policy.active().files
  if ('files' in source) return source.files
  const files = await policy.versions.files(source.version)
  if (!files) throw new Fault('NOT_FOUND', `no policies are kept as ${source.version}`)
  return files
}

export function backtestView(run: Run): BacktestView {
  const { id, kind, version, by, agent, most, state, fault, startedAt, endedAt, after, upTo, position, tally } = run
  const { seen, replayed, same, transitions, skipped } = tally
  return {
    id,
    kind,
    by,
    state,
    startedAt: isoTime(startedAt),
    entries: upTo - after,
    done: position - after,
    seen,
    replayed,
    same,
    transitions,
    skipped,
    ...(version === undefined ? {} : { version }),
    ...(agent === undefined ? {} : { agent }),
    ...(most === undefined ? {} : { limit: most }),
    ...(fault === undefined ? {} : { fault }),
    ...(endedAt === undefined ? {} : { endedAt: isoTime(endedAt) }),
  }
}

function backtestDetail(run: Run): BacktestDetail {
  const { agents, tools, changed, lost } = run.tally
  return { ...backtestView(run), agents, tools, changed, lost }
}

export function mountBacktests(
  app: FastifyInstance,
  backtests: Backtests,
  policy: Pick<Policy, 'active' | 'versions'>,
  authenticate: Authenticate,
): void {
  mount(
    app,
    policyBacktestsOperations,
    {
      async startBacktest({ body, principal }) {
        if ('drift' in body) return backtestDetail(await backtests.checkDrift(principal.id))
        const { source, since, agent, limit } = body
        const files = await filesOf(policy, source)
        const from = since === undefined ? undefined : Date.parse(since)
        return backtestDetail(await backtests.start({ by: principal.id, files, since: from, agent, most: limit }))
      },
      async listBacktests({ query }) {
        const page = await backtests.list(query)
        return { ...page, items: page.items.map(backtestView) }
      },
      showBacktest: async ({ params }) => backtestDetail(await backtests.show(params.id)),
      stopBacktest: async ({ params }) => backtestDetail(await backtests.stop(params.id)),
    },
    authenticate,
  )
}
