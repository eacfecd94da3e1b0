/** Legal holds: what they cover is neither erased nor expires, until somebody releases them. */
import { Fault } from '@ephor/contract'
import type { HoldView } from '@ephor/contract'
import { isoTime } from '@ephor/engine/kernel'
import { deleteHold, insertHold } from './erasure-store.ts'
import type { HoldRow } from './erasure-store.ts'
import type { Context } from './open-erasure.ts'
import { entryId } from './retention-state.ts'

/** Times in ms since 1970. */
export type HoldDraft = { subject?: string | undefined; since?: number | undefined; until?: number | undefined; reason: string }

export type Holds = {
  /** @param by `per_…` @throws Fault REQUEST_INVALID */
  place(draft: HoldDraft, by: string): Promise<HoldView>
  /** @throws Fault NOT_FOUND */
  release(id: string, by: string): Promise<void>
  list(): Promise<HoldView[]>
}

export function makeHolds({ ledger, clock, change, load }: Context): Holds {
  async function viewOf(row: HoldRow): Promise<HoldView> {
    const entry = await ledger.find(row.entry)
    const reason = entry && (await ledger.payload(entry.seq, 'reason'))
    return {
      id: row.id,
      ...(row.subject === null ? {} : { subject: row.subject }),
      ...(row.since === null ? {} : { since: isoTime(row.since) }),
      ...(row.until === null ? {} : { until: isoTime(row.until) }),
      placedAt: isoTime(row.placed_at),
      placedBy: row.placed_by,
      ...(typeof reason === 'string' ? { reason } : {}),
    }
  }

  return {
    async place({ subject, since, until, reason }, by) {
      if (since !== undefined && until !== undefined && until < since)
        throw new Fault('REQUEST_INVALID', 'the hold ends before it begins', { where: 'body/until' })
      const [id, now] = [clock.id('hld'), clock.now()]
      let row: HoldRow | undefined
      await change(async ({ holds }, version) => {
        const placed = {
          id,
          subject: subject ?? null,
          since: since ?? null,
          until: until ?? null,
          placed_at: now,
          placed_by: by,
          entry: entryId(version),
        }
        row = placed
        const { subject: of, since: from, until: to } = placed
        return {
          after: { holds: [...holds, placed] },
          changes: [insertHold(placed)],
          entries: [
            {
              type: 'ledger.hold.placed',
              body: {
                hold: id,
                by,
                placedAt: isoTime(now),
                ...(of === null ? {} : { subject: of }),
                ...(from === null ? {} : { since: isoTime(from) }),
                ...(to === null ? {} : { until: isoTime(to) }),
              },
              payloads: [{ name: 'reason', subject: by, value: reason }],
            },
          ],
        }
      })
      return viewOf(row as HoldRow)
    },

    async release(id, by) {
      await change(async ({ holds }) => {
        if (!holds.some((hold) => hold.id === id)) throw new Fault('NOT_FOUND', 'there is no such hold in force')
        return {
          after: { holds: holds.filter((hold) => hold.id !== id) },
          changes: [deleteHold(id)],
          entries: [{ type: 'ledger.hold.released', body: { hold: id, by } }],
        }
      })
    },

    list: async () => Promise.all((await load()).holds.map(viewOf)),
  }
}
