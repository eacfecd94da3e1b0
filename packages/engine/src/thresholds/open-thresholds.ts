/** Opens the room: reports of harm, and what holds and reports say about the policies in force. */
import { setImmediate as turn } from 'node:timers/promises'
import { Fault } from '@ephor/contract'
import type { Clock, JsonObject } from '@ephor/engine/kernel'
import { seqAt } from '@ephor/engine/ledger'
import type { Ledger, Receipt } from '@ephor/engine/ledger'
import type { Policy } from '@ephor/engine/policy'
import { reviewsOf, seeReview } from './reviews.ts'
import type { Reviews, Sampled } from './reviews.ts'
import { suggestFewer, suggestMore } from './suggest.ts'
import { actionOf, askedOf, harmedOf, nothingSeen, policiesOf, see } from './tally.ts'
import type { Health } from './types.ts'

export type ThresholdsOptions = { ledger: Ledger; policy: Pick<Policy, 'active'>; clock: Clock }

export type Report = { harmful: boolean; note?: string | undefined }

export interface Thresholds {
  /**
   * Puts on record what a person says a permit came to; what the same person says later takes its place.
   * @param by `per_…`
   * @throws Fault NOT_FOUND; CONFLICT when nothing was permitted
   */
  report(decision: string, by: string, report: Report): Promise<Receipt>
  /** Reads every entry since then. @param since ms since 1970 */
  health(since: number): Promise<Health>
  /** Permits of the sample that `@obligation("review:…")` asks for; a report on one ends its review. @param since ms since 1970 */
  reviews(since: number): Promise<Reviews>
}

const PAGE = 500
const DAY_MS = 86_400_000

export function openThresholds({ ledger, policy, clock }: ThresholdsOptions): Thresholds {
  async function readSince(since: number, look: (body: JsonObject) => void): Promise<void> {
    const { size } = await ledger.head()
    for (let after = (await seqAt(ledger, size, since)) - 1; ;) {
      const entries = await ledger.list({ after, limit: PAGE })
      const last = entries.at(-1)
      if (!last) break
      for (const { body } of entries) look(body)
      after = last.seq
      // Calls are decided on this thread too.
      await turn()
    }
  }

  return {
    async report(decision, by, { harmful, note }) {
      const body = (await ledger.find(decision))?.body
      if (body?.['type'] !== 'decision') throw new Fault('NOT_FOUND', 'no decision has that id')
      if (body['effect'] !== 'permit') throw new Fault('CONFLICT', 'it was not permitted, so nothing was done by it')
      const said = { decision, by, harmful, action: actionOf(body), policies: policiesOf(body) }
      const payloads = note === undefined ? [] : [{ name: 'note', subject: by, value: note }]
      const [receipt] = await ledger.append({ changes: [], entries: [{ type: 'decision.reported', body: said, payloads }] })
      if (!receipt) throw new Fault('INTERNAL', 'the ledger gave no receipt')
      return receipt
    },
    async health(since) {
      const seen = nothingSeen()
      await readSince(since, (body) => see(seen, body))
      const [active, until] = [policy.active(), clock.now()]
      const days = Math.max(1, Math.round((until - since) / DAY_MS))
      const asked = askedOf(seen).map((row) => ({ row, suggestion: suggestFewer(row, active, days) }))
      const harmed = harmedOf(seen).map((row) => ({ row, suggestion: suggestMore(row, active) }))
      return {
        since,
        until,
        decisions: seen.decisions,
        asked: asked.map(({ row, suggestion }) => ({ ...row, ...(suggestion && { suggestion }) })),
        harmed: harmed.map(({ row, suggestion }) => ({ ...row, ...(suggestion && { suggestion }) })),
      }
    },
    async reviews(since) {
      const [sampled, done] = [new Map<string, Sampled>(), new Set<string>()]
      await readSince(since, (body) => seeReview(sampled, done, body))
      return reviewsOf(since, sampled, done)
    },
  }
}
