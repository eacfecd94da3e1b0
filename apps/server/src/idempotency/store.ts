/** The table of remembered answers: claimed before the write, filled after it, gone after a day. */
import { Fault } from '@ephor/contract'
import { openEnvelope, sealEnvelope } from '@ephor/engine/kernel'
import type { Json, Store } from '@ephor/engine/kernel'
import { changedColumn, rowMacs } from './row-macs.ts'
import type { AnswerRow } from './row-macs.ts'

type Stored = AnswerRow & { macs: string }
type Tables = { server_answer: Stored & { tenant: string } }

export type Answer = { status: number; type: string; body: string }
export type Claim = { request: string; answer: Answer | undefined }

const COLUMNS = ['owner', 'key', 'request', 'sealed', 'started_at', 'macs'] as const

export const readAnswers = (store: Store): Promise<Stored[]> =>
  store.reader<Tables>().selectFrom('server_answer').select(COLUMNS).where('tenant', '=', store.tenant).execute()

/** `kek` seals the answers: some hold a secret that is shown once. */
export function idempotencyStore(store: Store, kek: Uint8Array) {
  const about = (owner: string, key: string) => `idempotency/${owner}/${key}`
  return {
    /** @throws Fault CONFLICT when the key is claimed already. */
    async claim(owner: string, key: string, request: string, now: number): Promise<void> {
      await store.commit({
        changes: [
          {
            sql: 'INSERT INTO server_answer (tenant, owner, key, request, sealed, started_at, macs) VALUES (@tenant, ?, ?, ?, NULL, ?, ?) ON CONFLICT DO NOTHING',
            params: [owner, key, request, now, rowMacs(kek, store.tenant, { owner, key, request, sealed: null, started_at: now })],
            rows: 1,
            fault: 'CONFLICT',
          },
        ],
      })
    },
    /** @throws Fault STORE_CORRUPT for a row that somebody else wrote */
    async find(owner: string, key: string): Promise<Claim | undefined> {
      const row = await store
        .reader<Tables>()
        .selectFrom('server_answer')
        .select(COLUMNS)
        .where('tenant', '=', store.tenant)
        .where('owner', '=', owner)
        .where('key', '=', key)
        .executeTakeFirst()
      if (!row) return undefined
      const changed = changedColumn(kek, store.tenant, row)
      if (changed !== undefined) throw new Fault('STORE_CORRUPT', `the ${changed} of the answer to ${key} in server_answer was changed`)
      if (row.sealed === null) return { request: row.request, answer: undefined }
      const opened = JSON.parse(Buffer.from(openEnvelope(kek, about(owner, key), row.sealed)).toString()) as Json & Answer
      return { request: row.request, answer: opened }
    },
    async fill({ owner, key, request, started_at }: Omit<AnswerRow, 'sealed'>, answer: Answer): Promise<void> {
      const sealed = sealEnvelope(kek, about(owner, key), Buffer.from(JSON.stringify(answer)))
      await store.commit({
        changes: [
          {
            sql: 'UPDATE server_answer SET sealed = ?, macs = ? WHERE tenant = @tenant AND owner = ? AND key = ?',
            params: [sealed, rowMacs(kek, store.tenant, { owner, key, request, sealed, started_at }), owner, key],
          },
        ],
      })
    },
    async release(owner: string, key: string): Promise<void> {
      await store.commit({
        changes: [{ sql: 'DELETE FROM server_answer WHERE tenant = @tenant AND owner = ? AND key = ?', params: [owner, key] }],
      })
    },
    async forget(before: number): Promise<void> {
      await store.commit({
        changes: [{ sql: 'DELETE FROM server_answer WHERE tenant = @tenant AND started_at < ?', params: [before] }],
      })
    },
  }
}
