/** Threshold health over HTTP, for people. */
import { thresholdHealthOperations } from '@ephor/contract'
import type { ThresholdHealth } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate, Clock } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import type { Thresholds } from './open-thresholds.ts'
import type { Health, Suggestion } from './types.ts'

const MONTH_MS = 30 * 86_400_000

const suggested = (suggestion: Suggestion | undefined) =>
  suggestion && { suggestion: { text: suggestion.text, ...(suggestion.files && { files: { ...suggestion.files } }) } }

function viewOf({ since, until, decisions, asked, harmed }: Health): ThresholdHealth {
  return {
    since: isoTime(since),
    until: isoTime(until),
    decisions,
    asked: asked.map(({ medianMs, suggestion, ...row }) => ({
      ...row,
      ...(medianMs === undefined ? {} : { medianMs }),
      ...suggested(suggestion),
    })),
    harmed: harmed.map(({ suggestion, ...row }) => ({ ...row, ...suggested(suggestion) })),
  }
}

export function mountThresholds(app: FastifyInstance, thresholds: Thresholds, clock: Clock, authenticate: Authenticate): void {
  mount(
    app,
    thresholdHealthOperations,
    {
      async reportDecision({ params, body, principal }) {
        const receipt = await thresholds.report(params.id, principal.id, body)
        return { decision: params.id, harmful: body.harmful, receipt }
      },
      async listReviews({ query: { since } }) {
        const { since: from, ...reviews } = await thresholds.reviews(since === undefined ? clock.now() - MONTH_MS : Date.parse(since))
        return { since: isoTime(from), ...reviews }
      },
      async showThresholdHealth({ query: { since } }) {
        return viewOf(await thresholds.health(since === undefined ? clock.now() - MONTH_MS : Date.parse(since)))
      },
    },
    authenticate,
  )
}
