/** RFC 3161 timestamps of checkpoints: openssl makes and checks them, and whatever an authority does wrong is refused. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { makeLog, systemClock } from '@ephor/engine/kernel'
import { canonicalize, readCheckpoint, utf8, verifyEvidence } from '@ephor/proof'
import type { EvidencePredicate } from '@ephor/proof'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { appendMany, openWorld } from '../ledger.fixture.ts'
import { httpAuthority, readAnchors } from './http-authority.ts'
import { keepTimestamps } from './keep-timestamps.ts'
import { hasOpenssl, issue, makeCa, openssl, reply, serveTsa, signAnew } from './tsa.fixture.ts'
import { verifyTimestamp } from './verify-timestamp.ts'

const DATA = utf8('ledger.test/ephor\n7\nroot\n')
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

describe.skipIf(!hasOpenssl)('with openssl', () => {
  let folder = ''
  beforeAll(() => {
    folder = makeCa()
    issue(folder, 'tsa')
    issue(folder, 'rsa', { isRsa: true })
    issue(folder, 'expired', { days: -1 })
  })

  async function authority(
    answer: (query: Buffer, response: ServerResponse) => Buffer | undefined,
    more: { ca?: string; now?: number; timeoutMs?: number } = {},
  ) {
    const tsa = await serveTsa(answer)
    closers.push(tsa.close)
    const clock = { ...systemClock, now: () => more.now ?? Date.now() }
    return httpAuthority({ url: tsa.url, ca: more.ca ?? join(folder, 'ca.pem'), clock, timeoutMs: more.timeoutMs ?? 10_000 })
  }

  test.each(['tsa', 'rsa'])('what an authority with a key %s stamps is taken, and openssl says the same of it', async (name) => {
    const { stamp } = await authority((query) => reply(folder, query, name))
    const { token, at } = await stamp(DATA)
    expect(Math.abs(at - Date.now())).toBeLessThan(5000)
    writeFileSync(join(folder, 'data'), DATA)
    writeFileSync(join(folder, 'token.tsr'), token)
    expect(openssl(folder, 'ts', '-verify', '-data', 'data', '-in', 'token.tsr', '-CAfile', 'ca.pem')).toContain('Verification: OK')
    const anchors = readAnchors(join(folder, 'ca.pem'))
    await expect(verifyTimestamp(token, { data: DATA, anchors })).resolves.toBe(at)
  })

  test('another CA and an expired certificate are refused', async () => {
    const elsewhere = await authority((query) => reply(folder, query, 'tsa'), { ca: join(makeCa(), 'ca.pem') })
    const expired = await authority((query) => reply(folder, query, 'expired'))
    for (const { stamp } of [elsewhere, expired])
      await expect(stamp(DATA)).rejects.toMatchObject({
        code: 'TIMESTAMP_REFUSED',
        message: expect.stringContaining("Validation of signer's certificate failed"),
      })
  })

  test('a certificate for something else, one that the signature does not name, a weak digest: refused though the signature is right', async () => {
    issue(folder, 'server', { extensions: 'server' })
    issue(folder, 'both', { extensions: 'both' })
    issue(folder, 'one', { serial: 77 })
    issue(folder, 'twin', { serial: 77, key: 'one', days: 20 })
    const { stamp } = await authority((query) => reply(folder, query, 'tsa'))
    const { token, at } = await stamp(DATA)
    const anchors = readAnchors(join(folder, 'ca.pem'))
    const verify = (key: string, ...by: string[]) => verifyTimestamp(signAnew(folder, token, key, ...by), { data: DATA, anchors })
    await expect(verify('one', '-signer', 'one.pem', '-cades', '-md', 'sha256')).resolves.toBe(at)
    await expect(verify('server', '-signer', 'server.pem', '-cades', '-md', 'sha256')).rejects.toThrow('not one for timestamps')
    await expect(verify('both', '-signer', 'both.pem', '-cades', '-md', 'sha256')).rejects.toThrow('not one for timestamps')
    await expect(verify('one', '-signer', 'one.pem', '-md', 'sha256')).rejects.toThrow('does not name its certificate')
    const swapped = ['-signer', 'one.pem', '-nocerts', '-certfile', 'twin.pem', '-cades', '-md', 'sha256']
    await expect(verify('one', ...swapped)).rejects.toThrow('names another certificate')
    await expect(verify('one', '-signer', 'one.pem', '-cades', '-md', 'sha1')).rejects.toThrow('not accepted')
    await expect(verify('one', '-signer', 'one.pem', '-noattr', '-md', 'sha256')).rejects.toThrow('not over a timestamp')
    const two = ['-signer', 'one.pem', '-signer', 'tsa.pem', '-inkey', 'tsa.key', '-cades', '-md', 'sha256']
    await expect(verify('one', ...two)).rejects.toThrow('one signature')
  })

  test('a timestamp of something else, or of another request, is refused', async () => {
    const kept: Buffer[] = []
    const first = await authority((query) => {
      kept.push(query)
      return reply(folder, query, 'tsa')
    })
    await first.stamp(DATA)
    const replayed = await authority(() => reply(folder, kept[0] as Buffer, 'tsa'))
    await expect(replayed.stamp(DATA)).rejects.toThrow('answers another request')
    await expect(replayed.stamp(utf8('something else'))).rejects.toThrow('of something else')
    openssl(folder, 'ts', '-query', '-data', 'tsa.cnf', '-sha256', '-no_nonce', '-cert', '-out', 'bare.tsq')
    const bare = await authority(() => reply(folder, readFileSync(join(folder, 'bare.tsq')), 'tsa'))
    await expect(bare.stamp(readFileSync(join(folder, 'tsa.cnf')))).rejects.toThrow('answers another request')
  })

  test('a changed byte anywhere in a timestamp is noticed, or changes nothing that it says', async () => {
    const { stamp } = await authority((query) => reply(folder, query, 'tsa'))
    const { token, at } = await stamp(DATA)
    const anchors = readAnchors(join(folder, 'ca.pem'))
    for (let i = 0; i < token.length; i += 11) {
      const changed = Uint8Array.from(token)
      changed[i] = (changed[i] ?? 0) ^ 0x04
      const said = await verifyTimestamp(changed, { data: DATA, anchors }).catch(() => at)
      expect(said, `byte ${i}`).toBe(at)
    }
  })

  test('a clock far from ours, an authority that refuses, garbage, too much, another page, silence: refused', async () => {
    const good = (query: Buffer) => reply(folder, query, 'tsa')
    const late = await authority(good, { now: Date.now() - 3_600_000 })
    await expect(late.stamp(DATA)).rejects.toThrow('s apart')
    openssl(folder, 'ts', '-query', '-digest', 'ab'.repeat(20), '-sha1', '-out', 'sha1.tsq')
    const refusing = await authority(() => reply(folder, readFileSync(join(folder, 'sha1.tsq')), 'tsa'))
    await expect(refusing.stamp(DATA)).rejects.toThrow('the authority refused: status 2')
    const answers: [(query: Buffer, response: ServerResponse) => Buffer | undefined, RegExp][] = [
      [() => randomBytes(500), /does not verify/],
      [() => Buffer.alloc(0), /does not verify/],
      [(query) => good(query).subarray(0, -20), /does not verify/],
      [() => Buffer.alloc(4 * 1024 * 1024, 0x30), /more than a timestamp/],
      [(_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('hello'), /something other/],
      [(_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), /answered 302/],
    ]
    const silent: typeof answers = [
      [() => undefined, /can't be asked/],
      [(_, response) => void response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).write('0'), /can't be asked/],
    ]
    for (const [answer, why] of answers) {
      const { stamp } = await authority(answer)
      await expect(stamp(DATA)).rejects.toThrow(why)
    }
    for (const [answer, why] of silent) {
      const { stamp } = await authority(answer, { timeoutMs: 400 })
      await expect(stamp(DATA)).rejects.toThrow(why)
    }
  })

  test('a ledger has its checkpoints stamped when it grew, by one replica, and what it gives out verifies with openssl', async () => {
    const world = await openWorld()
    closers.push(world.close)
    let asked = 0
    const tsa = await authority((query) => (asked++ === 0 ? Buffer.from('not yet') : reply(folder, query, 'tsa')))
    const rooms = { store: world.store, ledger: world.ledger, clock: systemClock, log: makeLog('silent') }
    const keepers = [1, 2].map(() => keepTimestamps({ ...rooms, authority: tsa, everyMs: 700, retryMs: 50 }))
    for (const keeper of keepers) closers.push(() => keeper.close())
    const [keeper] = keepers as [(typeof keepers)[0]]
    expect(await keeper.list({ limit: 10 })).toEqual([])
    await appendMany(world.ledger, 7)
    await expect.poll(() => keeper.list({ limit: 10 }), { timeout: 5000 }).toHaveLength(1)
    await appendMany(world.ledger, 5, 'more')
    await expect.poll(() => keeper.list({ limit: 10 }), { timeout: 5000 }).toHaveLength(2)
    const [first, second] = await keeper.list({ limit: 10 })
    expect(second?.size).toBe(12)
    expect(await keeper.list({ after: first?.size ?? 0, limit: 10 })).toEqual([second])
    writeFileSync(join(folder, '12.tsr'), (await world.ledger.file('timestamps/12.tsr')) ?? '')
    writeFileSync(join(folder, '12.checkpoint'), (await world.ledger.file('timestamps/12.checkpoint')) ?? '')
    expect(openssl(folder, 'ts', '-verify', '-data', '12.checkpoint', '-in', '12.tsr', '-CAfile', 'ca.pem')).toContain('OK')
    expect(readCheckpoint(readFileSync(join(folder, '12.checkpoint'), 'utf8')).size).toBe(12)
    await world.ledger.exportTo(join(world.folder, 'export'))
    for (const kind of ['tsr', 'checkpoint'])
      expect(readFileSync(join(world.folder, 'export', 'timestamps', `12.${kind}`))).toEqual(readFileSync(join(folder, `12.${kind}`)))
    await new Promise((resolve) => setTimeout(resolve, 1000))
    // The ledger did not grow: nobody is asked again.
    expect(asked).toBe(3)
    for (const path of ['timestamps/13.tsr', 'timestamps/012.tsr', 'timestamps/../x', '12.tsr'])
      expect(await world.ledger.file(path)).toBeUndefined()
    for (const one of keepers) await one.close()
    // Evidence has the first that is over its whole range, or the last that is over some of it.
    await appendMany(world.ledger, 2, 'unstamped')
    const stampsOf = async (start: number, end: number) => {
      const found = (await world.ledger.list({ after: start - 1, limit: end - start })).map(({ seq, body }) => ({
        seq,
        text: canonicalize(body),
      }))
      const bundle = JSON.stringify(await world.ledger.evidence({ range: { first: start, end }, entries: found }))
      const { vkey } = await world.ledger.keys.list().then(([key]) => key as { vkey: string })
      return { bundle, verdict: await verifyEvidence(bundle, { vkey }) }
    }
    expect((await stampsOf(0, 7)).verdict).toMatchObject({ ok: true, timestamps: [first?.size] })
    expect((await stampsOf(3, 14)).verdict).toMatchObject({ ok: true, timestamps: [12] })
    expect((await stampsOf(12, 14)).verdict).toMatchObject({ ok: true, timestamps: [] })
    const { bundle } = await stampsOf(0, 14)
    const { predicate } = JSON.parse(Buffer.from((JSON.parse(bundle) as { payload: string }).payload, 'base64').toString()) as {
      predicate: EvidencePredicate
    }
    const [stamp] = predicate.timestamps ?? []
    writeFileSync(join(folder, 'in.tsr'), Buffer.from(stamp?.token ?? '', 'base64'))
    writeFileSync(join(folder, 'in.checkpoint'), stamp?.checkpoint ?? '')
    expect(openssl(folder, 'ts', '-verify', '-data', 'in.checkpoint', '-in', 'in.tsr', '-CAfile', 'ca.pem')).toContain('OK')
  })
})
