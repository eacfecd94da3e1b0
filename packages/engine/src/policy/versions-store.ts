/** The rows of published versions: their signatures, what is tried beside the active one, and what the folder held last. */
import type { Change, Store } from '@ephor/engine/kernel'

type Tables = {
  policy_bundle: { tenant: string; activation: number; version: string; activated_at: number }
  policy_signature: { tenant: string; version: string; envelope: string; withdrawn: number }
  policy_stage: {
    tenant: string
    step: number
    activation: number
    version: string | null
    mode: 'shadow' | 'canary' | null
    percent: number | null
    salt: string | null
  }
  policy_folder: { tenant: string; version: string }
}

/** In a canary, `percent` of sessions are decided by the version; in shadow, none. The salt keeps agents from computing which. */
export type Stage = { version: string; mode: 'shadow' | 'canary'; percent: number; salt: string }
export type StageStep = { step: number; activation: number; stage: Stage | undefined }
export type Activation = { activation: number; version: string; activatedAt: number }

/** Newest first. */
export async function listActivations(store: Store, limit: number): Promise<Activation[]> {
  const rows = await store
    .reader<Tables>()
    .selectFrom('policy_bundle')
    .selectAll()
    .where('tenant', '=', store.tenant)
    .orderBy('activation', 'desc')
    .limit(limit)
    .execute()
  return rows.map(({ activation, version, activated_at: activatedAt }) => ({ activation, version, activatedAt }))
}

/** What is tried beside the active version, as it was last said. */
export async function lastStage(store: Store): Promise<StageStep | undefined> {
  const row = await store
    .reader<Tables>()
    .selectFrom('policy_stage')
    .selectAll()
    .where('tenant', '=', store.tenant)
    .orderBy('step', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (!row) return undefined
  const { step, activation, version, mode, percent, salt } = row
  const stage = version === null || mode === null ? undefined : { version, mode, percent: percent ?? 0, salt: salt ?? '' }
  return { step, activation, stage }
}

export async function findSignature(store: Store, version: string): Promise<{ envelope: string; withdrawn: boolean } | undefined> {
  const row = await store
    .reader<Tables>()
    .selectFrom('policy_signature')
    .select(['envelope', 'withdrawn'])
    .where('tenant', '=', store.tenant)
    .where('version', '=', version)
    .executeTakeFirst()
  return row && { envelope: row.envelope, withdrawn: row.withdrawn === 1 }
}

/** Whether it was active at any time. */
export async function wasActive(store: Store, version: string): Promise<boolean> {
  const query = store.reader<Tables>().selectFrom('policy_bundle').select('activation').where('tenant', '=', store.tenant)
  return (await query.where('version', '=', version).limit(1).executeTakeFirst()) !== undefined
}

export async function lastFolder(store: Store): Promise<string | undefined> {
  const row = await store
    .reader<Tables>()
    .selectFrom('policy_folder')
    .select('version')
    .where('tenant', '=', store.tenant)
    .executeTakeFirst()
  return row?.version
}

/** Published, or published again: it may decide. */
export function putSignature(version: string, envelope: string): Change {
  return {
    sql: `INSERT INTO policy_signature (tenant, version, envelope, withdrawn) VALUES (@tenant, ?, ?, 0)
      ON CONFLICT (tenant, version) DO UPDATE SET envelope = excluded.envelope, withdrawn = 0`,
    params: [version, envelope],
    rows: 1,
  }
}

/** From now on it decides nothing, held calls included, until it is published again. */
export function withdrawVersion(version: string): Change {
  return { sql: 'UPDATE policy_signature SET withdrawn = 1 WHERE tenant = @tenant AND version = ?', params: [version] }
}

/** It comes back with the signature that it has. */
export function reinstateVersion(version: string): Change {
  return { sql: 'UPDATE policy_signature SET withdrawn = 0 WHERE tenant = @tenant AND version = ?', params: [version], rows: 1 }
}

export function putFolder(version: string): Change {
  return {
    sql: 'INSERT INTO policy_folder (tenant, version) VALUES (@tenant, ?) ON CONFLICT (tenant) DO UPDATE SET version = excluded.version',
    params: [version],
    rows: 1,
  }
}

/** Two steps at once can't both take a number: the second is a CONFLICT. */
export function insertStage({ step, activation, stage }: StageStep): Change {
  return {
    sql: 'INSERT INTO policy_stage (tenant, step, activation, version, mode, percent, salt) VALUES (@tenant, ?, ?, ?, ?, ?, ?)',
    params: [step, activation, stage?.version ?? null, stage?.mode ?? null, stage?.percent ?? null, stage?.salt ?? null],
    rows: 1,
  }
}
