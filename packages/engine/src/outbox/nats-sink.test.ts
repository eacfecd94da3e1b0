/** NATS JetStream for real: order, outages, kills, authentication, and a consumer that resumes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterEach, describe, expect, test } from 'vitest'
import { subjectOf } from './nats-sink.ts'
import { hasNats, readStream, startNats } from './nats.fixture.ts'
import { ORIGIN, SOON, openWorld, range, scratch } from './outbox.fixture.ts'
import type { NatsOptions, SinkOptions } from './types.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function world(folder?: string) {
  const opened = await openWorld(folder)
  closers.push(opened.close)
  return opened
}
async function nats(...more: string[]) {
  const started = await startNats(...more)
  closers.push(started.stop)
  return started
}
const bus = (url: string, more: Partial<NatsOptions> = {}): SinkOptions => ({
  name: 'bus',
  types: [],
  from: 'start',
  nats: { servers: [url], stream: 'EPHOR', prefix: 'ephor', create: true, ...more },
})
const decisions = (count: number) => range(count).map(() => 'decision')

test('a subject is the prefix and the type; what is no token becomes one', () => {
  const event = (type: string) => ({ type: `ephor.${type}` }) as never
  expect(subjectOf('a.b', event('approval.opened'))).toBe('a.b.approval.opened')
  expect(subjectOf('a', event('x.>.*..y z'))).toBe('a.x._._._.y_z')
})

describe.skipIf(!hasNats)('with a NATS server', () => {
  test('entries come as CloudEvents in order, by subject and message id, and a consumer goes on where it acknowledged', async () => {
    const { url } = await nats()
    const { append, outbox } = await world()
    outbox([bus(url)])
    await append('decision', 'approval.opened', ...decisions(18))
    await expect.poll(() => readStream(url, 'EPHOR', 20).catch(() => []), SOON).toHaveLength(20)
    const got = await readStream(url, 'EPHOR', 20)
    expect(got.map(({ event }) => event.data.seq)).toEqual(range(20))
    expect(got[1]).toMatchObject({ subject: 'ephor.approval.opened', id: `${ORIGIN}#1`, event: { specversion: '1.0', source: ORIGIN } })

    const connection = await connect({ servers: url })
    closers.push(() => connection.close())
    const manager = await jetstreamManager(connection)
    await manager.consumers.add('EPHOR', { durable_name: 'siem', ack_policy: AckPolicy.Explicit, max_ack_pending: 1 })
    const take = async (count: number) => {
      const consumer = await jetstream(connection).consumers.get('EPHOR', 'siem')
      const seqs = []
      for (let i = 0; i < count; i++) {
        const message = await consumer.next()
        seqs.push(message?.json<{ data: { seq: number } }>().data.seq)
        await message?.ackAck()
      }
      return seqs
    }
    expect([...(await take(7)), ...(await take(13))]).toEqual(range(20))
  })

  test('an outage of NATS in the middle loses nothing, repeats nothing, and holds up no append', async () => {
    const server = await nats()
    const { append, outbox } = await world()
    const box = outbox([bus(server.url)])
    await append(...decisions(30))
    await expect.poll(() => readStream(server.url, 'EPHOR', 30).catch(() => []), SOON).toHaveLength(30)
    await append(...decisions(200))
    await server.kill()
    await append(...decisions(20))
    await expect.poll(async () => (await box.sinks())[0]?.failures, SOON).toBeGreaterThan(1)
    expect((await box.sinks())[0]).toMatchObject({ state: 'on', lag: expect.any(Number), error: expect.stringContaining('NATS: ') })
    expect(await box.warnings()).toEqual(['the sink bus does not take entries'])
    await server.start()
    await expect.poll(() => readStream(server.url, 'EPHOR', 250).catch(() => []), SOON).not.toHaveLength(0)
    const got = await readStream(server.url, 'EPHOR', 250)
    expect(got.map(({ event }) => event.data.seq)).toEqual(range(250))
    await expect.poll(async () => (await box.sinks())[0], SOON).toMatchObject({ lag: 0, failures: 0 })
    expect(await box.warnings()).toEqual([])
  })

  test(
    'kill -9 in the middle, again and again, loses no acknowledged entry and no order; what is sent twice is stored once',
    { timeout: 120_000 },
    async () => {
      const { url } = await nats()
      const folder = scratch()
      const acknowledged: number[] = []
      for (const count of [40, 60]) {
        const child = spawn(process.execPath, [fileURLToPath(new URL('./deliver-loop.fixture.ts', import.meta.url)), folder, url], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const lines = createInterface({ input: child.stdout })
        let left = count
        lines.on('line', (line) => {
          acknowledged.push(Number(line))
          if (--left === 0) child.kill('SIGKILL')
        })
        await once(lines, 'close')
      }
      const last = await world(folder)
      last.outbox([bus(url, { stream: 'LOOP', prefix: 'loop' })])
      const { size } = await last.ledger.head()
      await expect.poll(() => readStream(url, 'LOOP', size).catch(() => []), SOON).not.toHaveLength(0)
      const seqs = (await readStream(url, 'LOOP', size)).map(({ event }) => event.data.seq)
      expect(size).toBeGreaterThan(Math.max(...acknowledged))
      expect(seqs).toEqual(range(size))
    },
  )

  test('a wrong token is a failure that says so without the token; the right one works', async () => {
    const { url } = await nats('--auth', 'right-token')
    const { append, outbox } = await world()
    const box = outbox([bus(url, { token: 'wrong-token' }), { ...bus(url, { token: 'right-token' }), name: 'ok' }])
    await append('decision')
    await expect.poll(async () => (await box.sinks()).find(({ name }) => name === 'ok')?.position, SOON).toBe(1)
    const [wrong] = await box.sinks()
    expect(wrong).toMatchObject({ position: 0, error: expect.stringMatching(/authorization/i) })
    expect(JSON.stringify(await box.sinks())).not.toContain('-token')
  })

  test('a stream is only made when the settings say so', async () => {
    const { url } = await nats()
    const { append, outbox } = await world()
    const box = outbox([bus(url, { create: false })])
    await append('decision')
    await expect.poll(async () => (await box.sinks())[0]?.error, SOON).toContain('no stream EPHOR')
  })
})
