/** The bundles that were active, in the store: texts as JSON, one row an activation. */
import type { Change, Migrations, Store } from '@ephor/engine/kernel'
import type { PolicyFiles } from './types.ts'

const TENANT = 'default'

type Tables = {
  policy_bundle: { tenant: string; activation: number; version: string; files: string; activated_at: number }
}

export type StoredBundle = { activation: number; version: string; files: PolicyFiles; activatedAt: number }

export const policyMigrations: Migrations = { room: 'policy', folder: new URL('./migrations/', import.meta.url) }

export async function lastBundle(store: Store): Promise<StoredBundle | undefined> {
  const row = await store
    .reader<Tables>()
    .selectFrom('policy_bundle')
    .selectAll()
    .where('tenant', '=', TENANT)
    .orderBy('activation', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (!row) return undefined
  const { activation, version, activated_at: activatedAt } = row
  return { activation, version, files: JSON.parse(row.files) as PolicyFiles, activatedAt }
}

/** Two activations at once can't both take a number: the second is a CONFLICT. */
export function insertBundle({ activation, version, files, activatedAt }: StoredBundle): Change {
  return {
    sql: 'INSERT INTO policy_bundle (tenant, activation, version, files, activated_at) VALUES (?, ?, ?, ?, ?)',
    params: [TENANT, activation, version, JSON.stringify(files), activatedAt],
    rows: 1,
  }
}
