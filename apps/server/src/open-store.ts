/** The store that the settings name: embedded in the data folder, or PostgreSQL; and what brings either up to date. */
import { join } from 'node:path'
import { approvalsMigrations } from '@ephor/engine/approvals'
import { backtestsMigrations } from '@ephor/engine/backtests'
import { brokerMigrations } from '@ephor/engine/broker'
import { budgetsMigrations } from '@ephor/engine/budgets'
import { identityMigrations } from '@ephor/engine/identity'
import { migratePostgres, openPostgres, openSqlite, pendingOnPostgres, pendingOnSqlite } from '@ephor/engine/kernel'
import type { Logger, Store } from '@ephor/engine/kernel'
import { ledgerMigrations } from '@ephor/engine/ledger'
import type { ledgerExtension } from '@ephor/engine/ledger'
import { outboxMigrations } from '@ephor/engine/outbox'
import { policyMigrations } from '@ephor/engine/policy'
import { registryMigrations } from '@ephor/engine/registry'
import { rolloutsMigrations } from '@ephor/engine/rollouts'
import { vaultMigrations } from '@ephor/engine/vault'
import type { EffectiveSettings } from './settings/load-settings.ts'

export const MIGRATIONS = [
  ledgerMigrations,
  identityMigrations,
  registryMigrations,
  vaultMigrations,
  policyMigrations,
  budgetsMigrations,
  approvalsMigrations,
  rolloutsMigrations,
  backtestsMigrations,
  brokerMigrations,
  outboxMigrations,
  { room: 'server', folder: new URL('./idempotency/migrations/', import.meta.url) },
]

export type StoreSettings = Pick<EffectiveSettings, 'home' | 'tenant' | 'store' | 'ledger'>

export const fileIn = (home: string) => join(home, 'store.db')

/** @throws Fault of opening: see `openSqlite` and `openPostgres` */
export function openStore(
  { home, tenant, store }: StoreSettings,
  extension: ReturnType<typeof ledgerExtension>,
  log: Logger,
): Promise<Store> {
  const { url, poolSize, migrate } = store
  const common = { tenant, migrations: MIGRATIONS, migrate, extension }
  return url === undefined ? openSqlite({ ...common, file: fileIn(home) }) : openPostgres({ ...common, url, poolSize, log })
}

/** Migrations that the store lacks, as `room/name`. A store that is not there yet lacks all of them. */
export async function pendingMigrations({ home, store: { url } }: StoreSettings): Promise<string[]> {
  const pending =
    url === undefined
      ? pendingOnSqlite({ file: fileIn(home), migrations: MIGRATIONS })
      : await pendingOnPostgres({ url, migrations: MIGRATIONS })
  return pending.map(({ room, name }) => `${room}/${name}`)
}

/** Applies them. The embedded store must not be in use. @returns which it applied, as `room/name` */
export async function migrateStore(settings: StoreSettings): Promise<string[]> {
  const { home, store } = settings
  if (store.url !== undefined)
    return (await migratePostgres({ url: store.url, migrations: MIGRATIONS })).map(({ room, name }) => `${room}/${name}`)
  const pending = await pendingMigrations(settings)
  await (await openSqlite({ file: fileIn(home), migrations: MIGRATIONS })).close()
  return pending
}
