/** A witness in memory for the tests of the client: honest until it is told what to answer instead. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  EMPTY_ROOT,
  formatCosignerKey,
  makeCosignerKey,
  parseAddCheckpoint,
  readCheckpoint,
  signCosignature,
  verifyConsistency,
} from '@ephor/proof'
import { publicBytes } from '@ephor/testkit'
import { onTestFinished } from 'vitest'
import type { Witness } from './types.ts'

export type Lie = (response: ServerResponse, request: { old: number; checkpoint: string }) => void | Promise<void>

export async function fakeWitness(name = 'witness.test/w1') {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = makeCosignerKey(name, publicBytes(privateKey))
  const state = {
    size: 0,
    root: EMPTY_ROOT,
    note: '',
    /** Requests so far, and how many were going on at once at most. */
    requests: 0,
    most: 0,
    lie: undefined as Lie | undefined,
    /** In ms. */
    delay: 0,
  }
  let now = 0
  const cosign = (note: string, time = Math.floor(Date.now() / 1000)) =>
    signCosignature(note, { name, publicKey: key.publicKey, sign: (bytes) => sign(null, bytes, privateKey), time })

  async function answer(body: string, response: ServerResponse): Promise<unknown> {
    const { old, proof, checkpoint } = parseAddCheckpoint(body)
    if (state.lie) return state.lie(response, { old, checkpoint })
    const { size, root } = readCheckpoint(checkpoint)
    if (old !== state.size) return response.writeHead(409, { 'content-type': 'text/x.tlog.size' }).end(`${state.size}\n`)
    if (!verifyConsistency(old, size, state.root, root, proof)) return response.writeHead(422).end()
    const line = await cosign(checkpoint)
    Object.assign(state, { size, root, note: checkpoint + line })
    return response.end(line)
  }

  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.writeHead(state.note === '' ? 404 : 200).end(state.note)
      return
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      state.requests++
      state.most = Math.max(state.most, ++now)
      setTimeout(() => {
        now--
        answer(Buffer.concat(chunks).toString(), response).catch(() => response.writeHead(400).end())
      }, state.delay)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  onTestFinished(stop)
  const witness: Witness = { key, url: `http://127.0.0.1:${port}` }
  return { ...witness, vkey: formatCosignerKey(key), state, cosign, stop }
}
