/** Checkpoints get cosigned behind the appends; a witness that lies, hangs or floods gains nothing, and its silence is an alarm. */
import { makeLog, systemClock } from '@ephor/engine/kernel'
import { countCosignatures, parseCosignerKey, parseTlogProof } from '@ephor/proof'
import { toyLog } from '@ephor/testkit'
import { expect, onTestFinished, test, vi } from 'vitest'
import { appendMany, decision, openWorld, scratch } from '../ledger.fixture.ts'
import { openWitnesses } from './open-witnesses.ts'
import { fakeWitness } from './witness.fixture.ts'
import type { Lie } from './witness.fixture.ts'

// Each test opens several ledgers, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

type Fake = Awaited<ReturnType<typeof fakeWitness>>

async function open(fakes: Fake[], options: { quorum?: number; deadlineMs?: number; folder?: string } = {}) {
  const world = await openWorld(options.folder ?? scratch())
  const witnesses = await openWitnesses({
    store: world.store,
    ledger: world.ledger,
    witnesses: fakes,
    quorum: options.quorum ?? fakes.length,
    deadlineMs: options.deadlineMs ?? 60_000,
    pauseMs: 20,
    clock: systemClock,
    log: makeLog('silent'),
  })
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    witnesses.close()
    await world.close()
  }
  onTestFinished(close)
  return { ...world, witnesses, close }
}
type World = Awaited<ReturnType<typeof open>>

const within = (ms: number) => AbortSignal.timeout(ms)
async function append({ ledger }: World, id: string): Promise<number> {
  const [receipt] = await ledger.append({ changes: [], entries: [decision(id)] })
  return receipt?.seq ?? -1
}
const entriesOf = async ({ ledger }: World, type: string) =>
  (await ledger.list({ limit: 500 })).map(({ body }) => body).filter((body) => body['type'] === type)

test('what is served and proven carries the cosignatures of its size', async () => {
  const fakes = [await fakeWitness('w.test/1'), await fakeWitness('w.test/2')]
  const world = await open(fakes)
  const seq = await append(world, 'a')
  expect(await world.witnesses.cosigned(seq, 2, within(15_000))).toBe(true)
  const keys = fakes.map(({ vkey }) => parseCosignerKey(vkey))
  const notes = [
    (await world.ledger.head()).checkpoint,
    Buffer.from((await world.ledger.file('checkpoint')) ?? []).toString(),
    parseTlogProof(await world.ledger.proof(seq)).checkpoint,
  ]
  for (const note of notes) expect((await countCosignatures(note, keys)).cosigned).toHaveLength(2)
  expect(world.witnesses.status()).toMatchObject([
    { name: 'w.test/1', size: seq + 1 },
    { size: seq + 1, failure: undefined },
  ])
})

test('under load the same checkpoint gets all cosignatures, one request at a time a witness', async () => {
  const fakes = [await fakeWitness('w.test/1'), await fakeWitness('w.test/2'), await fakeWitness('w.test/3')]
  for (const [i, { state }] of fakes.entries()) state.delay = 5 + 20 * i
  const world = await open(fakes, { quorum: 2 })
  const calls = Array.from({ length: 30 }, async (_, i) => {
    await new Promise((resolve) => setTimeout(resolve, 10 * i))
    return world.witnesses.cosigned(await append(world, `c${i}`), i % 3 === 0 ? 3 : 2, within(15_000))
  })
  expect(await Promise.all(calls)).not.toContain(false)
  expect(fakes.map(({ state }) => state.most)).toEqual([1, 1, 1])
})

test('a witness that has seen another size is asked again with a proof from there; a restart knows where it was', async () => {
  const fake = await fakeWitness()
  const folder = scratch()
  const first = await open([fake], { folder })
  await appendMany(first.ledger, 300)
  expect(await first.witnesses.cosigned(299, 1, within(15_000))).toBe(true)
  await first.close()
  const { requests } = fake.state
  const second = await open([fake], { folder })
  expect(await second.witnesses.cosigned(await append(second, 'next'), 1, within(15_000))).toBe(true)
  expect(fake.state.requests - requests).toBeLessThanOrEqual(2)
  // Without what it knew, it asks with nothing and is told.
  await second.store.commit({ changes: [{ sql: 'DELETE FROM ledger_cosignature WHERE tenant = @tenant', params: [] }] })
  await second.close()
  const third = await open([fake], { folder })
  expect(await third.witnesses.cosigned(await append(third, 'last'), 1, within(15_000))).toBe(true)
})

const flood: Lie = (response) => {
  const pump = () => {
    while (!response.destroyed && response.write('— w.test/1 '.repeat(1000)));
    if (!response.destroyed) response.once('drain', pump)
  }
  pump()
}
const answers =
  (status: number, body: string, type = 'text/plain'): Lie =>
  (response) =>
    void response.writeHead(status, { 'content-type': type }).end(body)

const LIES: Record<string, Lie> = {
  garbage: answers(200, '\u0000garbage'),
  nothing: answers(200, ''),
  'a line that is no signature': answers(200, '— w.test/1 AAAA\n'),
  'a redirect': (response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
  'a body without end': flood,
  '409 with what it was asked with': (response, asked) => answers(409, `${asked.old}\n`, 'text/x.tlog.size')(response, asked),
  '409 without a size': answers(409, 'soon\n', 'text/x.tlog.size'),
  '409 with a number beyond all': answers(409, `${'9'.repeat(30)}\n`, 'text/x.tlog.size'),
  '409 with more than there is, and no proof': answers(409, '4000\n', 'text/x.tlog.size'),
  '409 with another size each time': (response, asked) =>
    answers(409, `${asked.old === 0 ? 1 : asked.old - 1}\n`, 'text/x.tlog.size')(response, asked),
  '422 without a conflict': answers(422, ''),
  '500': answers(500, 'no'),
  'nothing at all': () => undefined,
}

test('a witness that lies, floods or hangs counts as none, forks nothing and holds nothing up', async () => {
  const fakes = [await fakeWitness('w.test/1'), await fakeWitness('w.test/2')]
  const [liar] = fakes as [Fake]
  const world = await open(fakes, { quorum: 1 })
  for (const [name, lie] of Object.entries(LIES)) {
    liar.state.lie = lie
    const { requests } = liar.state
    const seq = await append(world, name)
    const both = world.witnesses.cosigned(seq, 2, within(150))
    expect(await world.witnesses.cosigned(seq, 1, within(15_000)), name).toBe(true)
    expect(await both, name).toBe(false)
    expect(liar.state.requests, name).toBeGreaterThan(requests)
    expect(world.ledger.forked(), name).toBeUndefined()
  }
  expect(
    (
      await countCosignatures(
        (await world.ledger.head()).checkpoint,
        fakes.map(({ key }) => key),
      )
    ).cosigned,
  ).toHaveLength(1)
})

test('a cosignature that was replayed, is of another checkpoint, of another key, or of another time counts as none', async () => {
  const fake = await fakeWitness('w.test/1')
  const stranger = await fakeWitness('w.test/1')
  const elsewhere = await toyLog('ledger.test/ephor', ['x', 'y']).checkpoint(2)
  const now = Math.floor(Date.now() / 1000)
  const lines: ((note: string) => Promise<string>)[] = [
    () => fake.cosign(elsewhere),
    (note) => stranger.cosign(note),
    (note) => fake.cosign(note, now + 3600),
    (note) => fake.cosign(note, now - 3600),
    async (note) => (await fake.cosign(note)).replace('w.test/1', 'w.test/2'),
    async (note) => (await fake.cosign(note)).replace(/.{8}\n$/, 'AAAAAA==\n'),
  ]
  const world = await open([fake])
  for (const [i, line] of lines.entries()) {
    fake.state.lie = async (response, { checkpoint }) => void response.end(await line(checkpoint))
    const { requests } = fake.state
    const seq = await append(world, `r${i}`)
    expect(await world.witnesses.cosigned(seq, 1, within(250)), `line ${i}`).toBe(false)
    expect(fake.state.requests).toBeGreaterThan(requests)
  }
  fake.state.lie = undefined
  expect(await world.witnesses.cosigned(await append(world, 'end'), 1, within(15_000))).toBe(true)
})

test('lines that somebody wrote into the database open nothing', async () => {
  const [fake, stranger] = [await fakeWitness('w.test/1'), await fakeWitness('w.test/1')]
  const folder = scratch()
  const first = await open([], { folder })
  const seq = await append(first, 'a')
  const { size, checkpoint } = await first.ledger.head()
  const row = [size, `w.test/1+${Buffer.from(fake.key.keyId).toString('hex')}`, await stranger.cosign(checkpoint), checkpoint, 1]
  const sql = 'INSERT INTO ledger_cosignature (tenant, size, witness, line, note, at) VALUES (@tenant, ?, ?, ?, ?, ?)'
  await first.store.commit({ changes: [{ sql, params: row }] })
  await first.close()
  fake.state.lie = answers(500, '')
  const second = await open([fake], { folder })
  expect(await second.witnesses.cosigned(seq, 1, within(300))).toBe(false)
})

test('silence beyond the deadline is an alarm: recorded once when it begins, also over a restart, and once when it ends', async () => {
  const fake = await fakeWitness()
  fake.state.lie = answers(503, '')
  const folder = scratch()
  const first = await open([fake], { folder, deadlineMs: 100 })
  await append(first, 'a')
  await vi.waitFor(() => expect(first.witnesses.outage()).toBeDefined(), 15_000)
  await append(first, 'b')
  await first.ledger.head()
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(await entriesOf(first, 'ledger.witness.missing')).toMatchObject([{ state: 'began', quorum: 1, silent: ['witness.test/w1'] }])
  await first.close()
  const second = await open([fake], { folder, deadlineMs: 100 })
  expect(second.witnesses.outage()).toBeDefined()
  await append(second, 'c')
  fake.state.lie = undefined
  await vi.waitFor(() => expect(second.witnesses.outage()).toBeUndefined(), 15_000)
  expect(await entriesOf(second, 'ledger.witness.missing')).toMatchObject([{ state: 'began' }, { state: 'ended' }])
})
