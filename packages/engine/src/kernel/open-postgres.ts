/** Opens the store that several replicas share: a thread that writes, the group committer in front of it, readers, and news of the others. */
import { randomUUID } from 'node:crypto'
import { startCommitter } from './group-committer.ts'
import type { Logger } from './log.ts'
import { nameDatabase, openingFault, postgresFault } from './postgres-faults.ts'
import { openReader } from './postgres-reader.ts'
import { openSchema } from './postgres-schema-store.ts'
import type { PostgresThreadData } from './postgres-thread.ts'
import { watchOthers } from './postgres-watch-store.ts'
import type { Kysely } from 'kysely'
import type { Store } from './store.ts'
import { checkTenant, DEFAULT_TENANT } from './tenant.ts'
import type { CommonOptions } from './thread-messages.ts'

/** Reading connections at most, unless set. */
const POOL_SIZE = 4

export type PostgresOptions = CommonOptions & {
  /** `postgres://role:password@host:port/database`; what `pg` understands. */
  url: string
  poolSize?: number | undefined
  /** A module that exports `installPostgres` (see PostgresExtension), and what to hand it; must survive structured cloning. */
  extension?: { postgres: URL; options: unknown } | undefined
  log?: Logger | undefined
}

/**
 * @throws Fault DATABASE_UNREACHABLE, DATABASE_SIGN_IN_REFUSED, DATABASE_MISSING, DATABASE_RIGHTS_MISSING, SCHEMA_OLDER,
 *   SCHEMA_NEWER, SCHEMA_DIFFERS, and STORE_UNAVAILABLE when the server does not keep what it acknowledges
 */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  const { url, migrations, migrate = true, poolSize = POOL_SIZE, extension, log } = options
  const tenant = checkTenant(options.tenant ?? DEFAULT_TENANT)
  const role = await openSchema({ url, migrations, migrate })
  if (role.bypassesPolicies)
    log?.warn(
      { role: role.name },
      `the role of ${nameDatabase(url)} is above row-level security: nothing but this program keeps tenants apart`,
    )

  const writer = randomUUID()
  const data: PostgresThreadData = {
    url,
    tenant,
    writer,
    extension: extension && { module: extension.postgres.href, options: extension.options },
  }
  const committer = await startCommitter({ thread: new URL('./postgres-thread.ts', import.meta.url), data, toFault: postgresFault })
  const reader = openReader({ url, tenant, poolSize })
  const watch = await watchOthers({ url, tenant, writer, reader }).catch(async (error: unknown) => {
    await Promise.all([committer.close(), reader.close()])
    throw openingFault(error, url)
  })

  return {
    tenant,
    kind: 'postgres',
    reader: <T>() => reader.kysely as unknown as Kysely<T>,
    async commit(unit) {
      const answer = await committer.commit(unit)
      watch.tell()
      return answer
    },
    call: (method, argument) => committer.call(method, argument),
    onForeign: (listener) => watch.on(listener),
    async close() {
      await committer.drain()
      await watch.close()
      await reader.close()
      await committer.close()
    },
  }
}
