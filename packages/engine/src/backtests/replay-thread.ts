/** The thread in which decisions are made again: it asks for texts and worlds as it meets them, and is ended from outside. */
import { parentPort, workerData } from 'node:worker_threads'
import { Fault } from '@ephor/contract'
import type { PolicyFiles, PolicyWorld } from '@ephor/engine/policy'
import { unpack } from './pack.ts'
import type { Packed } from './pack.ts'
import { makeReplay } from './replay.ts'
import type { Job, Tally } from './types.ts'

export type ThreadData = { job: Job; agent: string | undefined }
export type ToThread = { batch: Packed; most: number } | { key: string; found: PolicyFiles | PolicyWorld | undefined }
export type FromThread = { wants: 'files' | 'world'; key: string } | { tally: Tally } | { fault: string; detail: string }

const port = parentPort
const { job, agent } = workerData as ThreadData
const waiting = new Map<string, (found: unknown) => void>()

function ask<T>(wants: 'files' | 'world', key: string): Promise<T> {
  return new Promise((resolve) => {
    waiting.set(key, (found) => resolve(found as T))
    port?.postMessage({ wants, key } satisfies FromThread)
  })
}

const replay = makeReplay(job, { files: (version) => ask('files', version), world: (digest) => ask('world', digest) }, agent)

port?.on('message', (message: ToThread) => {
  if ('key' in message) {
    waiting.get(message.key)?.(message.found)
    waiting.delete(message.key)
    return
  }
  replay(unpack(message.batch), message.most).then(
    (tally) => port.postMessage({ tally } satisfies FromThread),
    (error: unknown) => {
      const fault = error instanceof Fault ? error.code : 'INTERNAL'
      port.postMessage({ fault, detail: (error as Error).message } satisfies FromThread)
    },
  )
})
