/** The table of remembered answers: claimed before the write, filled after it, gone after a day. */
import { openEnvelope, sealEnvelope } from '@ephor/engine/kernel'
import type { Json, Store } from '@ephor/engine/kernel'

type Tables = {
  server_answer: { tenant: string; owner: string; key: string; request: string; sealed: Uint8Array | null; started_at: number }
}

export type Answer = { status: number; type: string; body: string }
export type Claim = { request: string; answer: Answer | undefined }

/** `kek` seals the answers: some hold a secret that is shown once. */
export function idempotencyStore(store: Store, kek: Uint8Array) {
  const about = (owner: string, key: string) => `idempotency/${owner}/${key}`
  return {
    /** @throws Fault CONFLICT when the key is claimed already. */
    async claim(owner: string, key: string, request: string, now: number): Promise<void> {
      await store.commit({
        changes: [
          {
            sql: 'INSERT INTO server_answer (tenant, owner, key, request, sealed, started_at) VALUES (@tenant, ?, ?, ?, NULL, ?) ON CONFLICT DO NOTHING',
            params: [owner, key, request, now],
            rows: 1,
            fault: 'CONFLICT',
          },
        ],
      })
    },
    async find(owner: string, key: string): Promise<Claim | undefined> {
      const row = await store
        .reader<Tables>()
        .selectFrom('server_answer')
        .select(['request', 'sealed'])
        .where('tenant', '=', store.tenant)
        .where('owner', '=', owner)
        .where('key', '=', key)
        .executeTakeFirst()
      if (!row) return undefined
      if (row.sealed === null) return { request: row.request, answer: undefined }
      const opened = JSON.parse(Buffer.from(openEnvelope(kek, about(owner, key), row.sealed)).toString()) as Json & Answer
      return { request: row.request, answer: opened }
    },
    async fill(owner: string, key: string, answer: Answer): Promise<void> {
      const sealed = sealEnvelope(kek, about(owner, key), Buffer.from(JSON.stringify(answer)))
      await store.commit({
        changes: [
          {
            sql: 'UPDATE server_answer SET sealed = ? WHERE tenant = @tenant AND owner = ? AND key = ?',
            params: [sealed, owner, key],
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
