/** What leaves the ledger for other systems, opened and mounted together. */
import { readFileSync } from 'node:fs'
import type { Authenticate, Clock, Logger, Store } from '@ephor/engine/kernel'
import { mountOutbox, openOutbox } from '@ephor/engine/outbox'
import type { Vault } from '@ephor/engine/vault'
import type { FastifyInstance } from 'fastify'
import type { EventFeed } from '../events/event-feed.ts'
import type { EffectiveSettings } from '../settings/load-settings.ts'

export type OutwardRooms = {
  store: Store
  feed: EventFeed
  vault: Pick<Vault, 'resolve'>
  clock: Clock
  log: Logger
  settings: Pick<EffectiveSettings, 'outbox'>
}

export type Outward = ReturnType<typeof openOutward>

/** `file:PATH` is the content of a file, `secret:NAME` what the vault has. */
function revealer(vault: Pick<Vault, 'resolve'>) {
  return (reference: string) =>
    reference.startsWith('file:') ? readFileSync(reference.slice('file:'.length), 'utf8') : vault.resolve(reference)
}

export function openOutward({ store, feed, vault, clock, log, settings }: OutwardRooms) {
  const { ledger } = feed
  const reveal = revealer(vault)
  const outbox = openOutbox({ store, ledger, clock, log, sinks: settings.outbox, reveal })
  const stopListening = feed.onAppend(() => outbox.wake())
  return {
    outbox,
    warnings: () => outbox.warnings(),
    async close() {
      stopListening()
      await outbox.close()
    },
  }
}

export function mountOutward(app: FastifyInstance, { outbox }: Outward, authenticate: Authenticate): void {
  mountOutbox(app, outbox, authenticate)
}
