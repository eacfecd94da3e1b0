/** Signing apart from appending: a key that can't be used stops checkpoints, and nothing else. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { loadKeys } from '@ephor/engine/kernel'
import { parseVerifierKey, verifyCheckpoint } from '@ephor/proof'
import { expect, test } from 'vitest'
import { fileSigner } from './index.ts'
import type { Published, Signer } from './index.ts'
import { appendMany, decision, openWorld, scratch } from './ledger.fixture.ts'

/** The folder's own key behind a switch. */
function switched(folder: string) {
  const signer = fileSigner(loadKeys(join(folder, 'keys')).ledger)
  const state = { sign: signer.sign, calls: 0 }
  const through: Signer = {
    publicKey: signer.publicKey,
    sign: (bytes) => {
      state.calls++
      return state.sign(bytes)
    },
  }
  return { through, state, up: () => void (state.sign = signer.sign) }
}

function withCode(code: string): Error {
  return expect.objectContaining({ code }) as Error
}

test('while the signer is down, entries are durable, no head is given, and nothing is published', async () => {
  const folder = scratch()
  const { through, state, up } = switched(folder)
  const { ledger, outside, close } = await openWorld(folder, { signer: through })
  await appendMany(ledger, 3)
  const before = await ledger.head()
  state.sign = () => Promise.reject(new Fault('SIGNER_UNAVAILABLE', 'the KMS does not answer'))
  const receipts = await ledger.append({ changes: [], entries: [decision('late')] })
  expect(receipts[0]?.seq).toBe(3)
  await expect(ledger.head()).rejects.toThrow(withCode('SIGNER_UNAVAILABLE'))
  await expect(ledger.proof(3)).rejects.toThrow(withCode('SIGNER_UNAVAILABLE'))
  await expect(ledger.find('late')).resolves.toBeDefined()
  expect(readFileSync(outside, 'utf8')).toBe(before.checkpoint)
  up()
  await expect(ledger.head()).resolves.toMatchObject({ size: 4 })
  await close()
})

test('signing is tried again without being asked for', async () => {
  const folder = scratch()
  const { through, state, up } = switched(folder)
  const { ledger, close } = await openWorld(folder, { signer: through })
  state.sign = () => Promise.reject(new Error('no route'))
  const published = new Promise<Published>((resolve) => ledger.onCheckpoint(resolve))
  await appendMany(ledger, 1)
  await expect.poll(() => state.calls, { timeout: 10_000 }).toBeGreaterThan(1)
  up()
  await expect(published).resolves.toMatchObject({ size: 1 })
  await close()
})

test('a signature that is not one of the key is never published', async () => {
  const folder = scratch()
  const { through, state, up } = switched(folder)
  const { ledger, outside, close } = await openWorld(folder, { signer: through })
  await appendMany(ledger, 1)
  const { sign } = fileSigner(loadKeys(join(scratch(), 'keys')).ledger)
  for (const wrong of [sign, () => Promise.resolve(new Uint8Array(64)), () => Promise.resolve(new Uint8Array(3))]) {
    state.sign = wrong
    await expect(ledger.head()).rejects.toThrow(withCode('SIGNER_UNAVAILABLE'))
  }
  expect((await verifyCheckpoint(readFileSync(outside), parseVerifierKey(ledger.verifierKey))).size).toBe(0)
  up()
  await expect(ledger.head()).resolves.toMatchObject({ size: 1 })
  await close()
})

test('a ledger starts and closes without its signer, but a new one does not begin without', async () => {
  const folder = scratch()
  const { through, state, up } = switched(folder)
  state.sign = () => Promise.reject(new Error('sealed'))
  await expect(openWorld(folder, { signer: through })).rejects.toThrow(withCode('SIGNER_UNAVAILABLE'))
  up()
  const first = await openWorld(folder, { signer: through })
  state.sign = () => Promise.reject(new Error('sealed'))
  await appendMany(first.ledger, 5)
  await first.close()
  const second = await openWorld(folder, { signer: through })
  await appendMany(second.ledger, 5, 'more')
  up()
  await expect(second.ledger.head()).resolves.toMatchObject({ size: 10 })
  await second.close()
})

test('entries appended while a checkpoint is being signed are in the next one', async () => {
  const folder = scratch()
  const { through, state, up } = switched(folder)
  const { ledger, close } = await openWorld(folder, { signer: through })
  await appendMany(ledger, 300)
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const { sign } = state
  state.sign = (bytes) => held.then(() => sign(bytes))
  const first = ledger.head()
  await expect.poll(() => state.calls).toBeGreaterThan(1)
  up()
  await appendMany(ledger, 300, 'meanwhile')
  const second = ledger.head()
  release()
  expect([(await first).size, (await second).size]).toEqual([300, 600])
  for (const seq of [0, 255, 299, 300, 511, 599]) await expect(ledger.proof(seq)).resolves.toContain(`index ${seq}`)
  await close()
})

test('each publication is told once, and a listener that fails harms nobody', async () => {
  const { ledger, close } = await openWorld()
  const seen: number[] = []
  ledger.onCheckpoint(() => {
    throw new Error('mine')
  })
  const end = ledger.onCheckpoint(({ size, note }) => {
    expect(note).toContain(`\n${size}\n`)
    seen.push(size)
  })
  await appendMany(ledger, 2)
  await Promise.all([ledger.head(), ledger.head(), ledger.head()])
  await appendMany(ledger, 1, 'b')
  await ledger.head()
  end()
  await appendMany(ledger, 1, 'c')
  await ledger.head()
  expect(seen).toEqual([2, 3])
  await close()
})

test('two tenants have their own bodies, envelopes and files, and the default’s are as they were', async () => {
  const { ledger, store, close } = await openWorld(scratch(), { tenant: 'acme' })
  await ledger.append({ changes: [], entries: [decision('a')] })
  await expect(ledger.read(0)).resolves.toMatchObject({ body: { tenant: 'acme' } })
  await expect(ledger.payload(0, 'input')).resolves.toEqual({ text: 'payload' })
  await store.commit({ changes: [{ sql: "UPDATE ledger_entry SET tenant = 'default' WHERE tenant = @tenant", params: [], rows: 1 }] })
  await expect(ledger.read(0)).resolves.toBeUndefined()
  await close()
})
