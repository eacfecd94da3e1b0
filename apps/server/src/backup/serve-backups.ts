/** Backups over the API: made by the running server, for its operator. */
import { join } from 'node:path'
import { Fault, ledgerBackupsOperations } from '@ephor/contract'
import { mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { Identity } from '@ephor/engine/identity'
import type { FastifyInstance } from 'fastify'
import { makeBackup } from './make-backup.ts'
import type { BackupRooms } from './make-backup.ts'

export function serveBackups(
  app: FastifyInstance,
  rooms: BackupRooms & { identity: Pick<Identity, 'person'> },
  authenticate: Authenticate,
): void {
  mount(
    app,
    ledgerBackupsOperations,
    {
      async makeBackup({ body: { name, withKeys }, principal: { id } }) {
        if (!rooms.identity.person(id)?.operator) throw new Fault('FORBIDDEN', 'only the operator does this')
        return makeBackup(rooms, join(rooms.home, 'backups', name), { withKeys })
      },
    },
    authenticate,
  )
}
