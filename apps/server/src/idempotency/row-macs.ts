/** Keyed digests of the columns of a remembered answer: without the installation's key nobody writes one that counts. */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'

export type AnswerRow = { owner: string; key: string; request: string; sealed: Uint8Array | null; started_at: number }
export type AnswerColumn = 'request' | 'started_at' | 'sealed'

/** One digest a column, so that what was changed can be said; each over owner and key, so that none is good for another row. */
export function rowMacs(kek: Uint8Array, tenant: string, row: AnswerRow): string {
  const columns: Record<AnswerColumn, string> = {
    request: row.request,
    started_at: String(row.started_at),
    sealed: row.sealed === null ? '' : hash('sha256', row.sealed, 'hex'),
  }
  const mac = ([column, value]: [string, string]) =>
    createHmac('sha256', kek)
      .update(JSON.stringify(['ephor-answer', tenant, row.owner, row.key, column, value]))
      .digest('hex')
      .slice(0, 32)
  return Object.entries(columns).map(mac).join('.')
}

/** The first column that is not what was written; undefined when all are. */
export function changedColumn(kek: Uint8Array, tenant: string, row: AnswerRow & { macs: string }): AnswerColumn | 'macs' | undefined {
  const [is, should] = [row.macs.split('.'), rowMacs(kek, tenant, row).split('.')]
  const same = (i: number) => {
    const [one, other] = [Buffer.from(is[i] ?? ''), Buffer.from(should[i] ?? '')]
    return one.length === other.length && timingSafeEqual(one, other)
  }
  if (is.length !== should.length) return 'macs'
  return (['request', 'started_at', 'sealed'] as const).find((_, i) => !same(i))
}
