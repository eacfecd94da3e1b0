/** A process that appends for ever and delivers to NATS, and says what was acknowledged, to be killed by a test. */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openWorld } from './outbox.fixture.ts'

const [folder = '', url = ''] = process.argv.slice(2)
const world = await openWorld(folder)
const nats = { servers: [url], stream: 'LOOP', prefix: 'loop', create: true }
const outbox = world.outbox([{ name: 'bus', types: [], from: 'start', nats }])
for (;;) {
  const [receipt] = await world.ledger.append({ changes: [], entries: [{ type: 'decision', body: {} }] })
  outbox.wake()
  writeSync(1, `${receipt?.seq}\n`)
  await sleep(1)
}
