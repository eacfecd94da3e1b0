/** The vault's own table. */
import type { Change, Store } from '@ephor/engine/kernel'

/** What a sealed value is bound to: it opens in no other row and as no other version. */
export const aboutSecret = (tenant: string, name: string, version: number): string => `${tenant}|${name}|${version}`

export type SecretRow = { name: string; version: number; stored_at: number; sealed: Uint8Array | null }

type Tables = { vault_secret: SecretRow & { tenant: string } }

export async function readSecrets(store: Store): Promise<SecretRow[]> {
  const query = store.reader<Tables>().selectFrom('vault_secret').where('tenant', '=', store.tenant)
  return query.select(['name', 'version', 'stored_at', 'sealed']).execute()
}

/** The next version of a secret, provided that the one before is the last. */
export function putRow({ name, version, stored_at, sealed }: SecretRow): Change {
  return {
    sql: `INSERT INTO vault_secret (tenant, name, version, stored_at, sealed) VALUES (@tenant, ?, ?, ?, ?)
      ON CONFLICT (tenant, name) DO UPDATE SET version = excluded.version, stored_at = excluded.stored_at, sealed = excluded.sealed
      WHERE vault_secret.version = excluded.version - 1`,
    params: [name, version, stored_at, sealed],
    rows: 1,
  }
}

export function removeRow(name: string, version: number): Change {
  return {
    sql: 'UPDATE vault_secret SET sealed = NULL WHERE tenant = @tenant AND name = ? AND version = ? AND sealed IS NOT NULL',
    params: [name, version],
    rows: 1,
  }
}
