/** What leaves the ledger for other systems, opened and mounted together. */
import { readFileSync } from 'node:fs'
import type { Authenticate, Clock, Logger, Store } from '@ephor/engine/kernel'
import { httpAuthority, keepMirror, keepTimestamps, mountTimestamps, s3Target } from '@ephor/engine/ledger'
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
  settings: Pick<EffectiveSettings, 'outbox' | 'ledger'>
}

export type Outward = ReturnType<typeof openOutward>

/** `file:PATH` is the content of a file, `secret:NAME` what the vault has. */
function revealer(vault: Pick<Vault, 'resolve'>) {
  return (reference: string) =>
    reference.startsWith('file:') ? readFileSync(reference.slice('file:'.length), 'utf8') : vault.resolve(reference)
}

/** @throws Fault SETTINGS_INVALID when the certificates of authorities can't be read */
function openTimestamps({ settings, clock, ...rooms }: Omit<OutwardRooms, 'feed' | 'vault'> & { ledger: EventFeed['ledger'] }) {
  const { url, ca, every } = settings.ledger.timestamps
  const authority = url !== undefined && ca !== undefined ? httpAuthority({ url, ca, clock }) : undefined
  return keepTimestamps({ ...rooms, clock, authority, everyMs: every })
}

/** undefined when the settings name no bucket. */
function openMirror({ settings, ...rooms }: Omit<OutwardRooms, 'feed' | 'vault'> & { ledger: EventFeed['ledger'] }) {
  const { bucket, every, ...where } = settings.ledger.mirror
  if (bucket === undefined) return undefined
  const target = s3Target({ bucket, ...where })
  const mirror = keepMirror({ ...rooms, target, everyMs: every })
  return {
    warnings: () => mirror.warnings(),
    async close() {
      const closed = mirror.close()
      // Requests that are on their way end at once; the next start goes on where they were.
      target.close()
      await closed
    },
  }
}

export function openOutward({ store, feed, vault, clock, log, settings }: OutwardRooms) {
  const { ledger } = feed
  const timestamps = openTimestamps({ store, ledger, clock, log, settings })
  const mirror = openMirror({ store, ledger, clock, log, settings })
  const outbox = openOutbox({ store, ledger, clock, log, sinks: settings.outbox, reveal: revealer(vault) })
  const stopListening = feed.onAppend(() => outbox.wake())
  return {
    outbox,
    timestamps,
    warnings: async () => [...(await outbox.warnings()), ...timestamps.warnings(), ...(mirror?.warnings() ?? [])],
    async close() {
      stopListening()
      await Promise.all([outbox.close(), timestamps.close(), mirror?.close()])
    },
  }
}

export function mountOutward(app: FastifyInstance, { outbox, timestamps }: Outward, authenticate: Authenticate): void {
  mountOutbox(app, outbox, authenticate)
  mountTimestamps(app, timestamps, authenticate)
}
