/** The disposable thread in which large values are examined, so that a text that is slow to examine stops nothing else. */
import { parentPort } from 'node:worker_threads'
import type { RedactionCategory } from '@ephor/contract'
import type { Json } from '@ephor/engine/kernel'
import { redact } from './redact.ts'
import type { Redacted } from './types.ts'

export type RedactRequest = { value: Json; categories: readonly RedactionCategory[] }
export type RedactReply = { kind: 'ready' } | Redacted

const port = parentPort
port?.on('message', ({ value, categories }: RedactRequest) => port.postMessage(redact(value, categories) satisfies RedactReply))
port?.postMessage({ kind: 'ready' } satisfies RedactReply)
