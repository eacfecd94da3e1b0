/** Where the broker's schema changes are. */
import type { Migrations } from '@ephor/engine/kernel'

export const brokerMigrations: Migrations = { room: 'broker', folder: new URL('./migrations/', import.meta.url) }
