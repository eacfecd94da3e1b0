/** Tenants: whose rows a store reads and writes. A name stands in SQL as a literal, so only plain ones exist. */
import { Fault } from '@ephor/contract'

export const DEFAULT_TENANT = 'default'
const NAME = /^[a-z0-9][a-z0-9-]{0,39}$/

/** @throws Fault TENANT_INVALID */
export function checkTenant(tenant: string): string {
  if (!NAME.test(tenant))
    throw new Fault('TENANT_INVALID', `${JSON.stringify(tenant)} is no tenant: 1 to 40 of a-z, 0-9 and -, not beginning with -`)
  return tenant
}

/** The text of a statement with `@tenant` replaced by the literal; `tenant` was checked. */
export function nameTenant(sql: string, tenant: string): string {
  return sql.replaceAll(/@tenant\b/g, `'${tenant}'`)
}
