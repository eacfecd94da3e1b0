/** A witness's answer to `add-checkpoint` (c2sp.org/tlog-witness): it cosigns what continues what it cosigned before, and nothing else. */
import {
  appendSignature,
  EMPTY_ROOT,
  formatNote,
  parseAddCheckpoint,
  parseCheckpoint,
  parseNote,
  ProofError,
  sameBytes,
  signCosignature,
  verifyConsistency,
  verifyNote,
} from '@ephor/proof'
import type { AddCheckpoint, Checkpoint, VerifierKey } from '@ephor/proof'
import type { WitnessStore } from './witness-store.ts'

/** One log that is witnessed. Several keys: a log that changes its key is trusted under both. */
export type WitnessedLog = { origin: string; keys: readonly VerifierKey[] }
/** `sign`: an Ed25519 signature of 64 bytes. */
export type Cosigner = { name: string; publicKey: Uint8Array; sign: (bytes: Uint8Array) => Uint8Array }
export type Answer = { status: number; type: string; body: string }
export type WitnessRooms = {
  logs: ReadonlyMap<string, WitnessedLog>
  store: WitnessStore
  cosigner: Cosigner
  /** ms since 1970. */
  now(): number
  /** The log signed something that does not continue what was cosigned. */
  onConflict(origin: string, detail: string): void
}

const text = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body: `${body}\n` })

type Read = { request: AddCheckpoint; checkpoint: Checkpoint }

function read(body: Uint8Array): Read | Answer {
  try {
    const request = parseAddCheckpoint(body)
    return { request, checkpoint: parseCheckpoint(parseNote(request.checkpoint).text) }
  } catch (error) {
    if (error instanceof ProofError) return text(400, error.message)
    throw error
  }
}

/** The note with the lines of the log's trusted keys alone: what else stood there, a stranger may have put there. */
function bare(note: string, keys: readonly VerifierKey[]): string {
  const parsed = parseNote(note)
  const own = parsed.signatures.filter((line) => keys.some((key) => key.name === line.name && sameBytes(key.keyId, line.keyId)))
  return formatNote(parsed.text, own)
}

async function cosign(rooms: WitnessRooms, log: WitnessedLog, { request, checkpoint }: Read): Promise<Answer> {
  const { store, cosigner } = rooms
  const { origin, size, root } = checkpoint
  const latest = store.latest(origin)
  const known = latest?.size ?? 0
  if (request.old !== known) return { status: 409, type: 'text/x.tlog.size', body: `${known}\n` }
  const at = Math.floor(rooms.now() / 1000)
  if (!verifyConsistency(known, size, latest?.root ?? EMPTY_ROOT, root, request.proof)) {
    // Anybody can send an honest checkpoint with a wrong proof. Two roots for one size are the log's own doing: evidence.
    const isProven = latest !== undefined && size === known && !sameBytes(root, latest.root)
    if (isProven) store.keepConflict({ origin, at, note: bare(request.checkpoint, log.keys), known: latest.note })
    const detail = isProven
      ? `the log signed two roots for ${size} entries`
      : `no proof that ${size} entries continue the ${known} cosigned`
    rooms.onConflict(origin, detail)
    return text(422, detail)
  }
  // A cosignature says what was the latest at its time, so times never go back.
  if (latest && at < latest.at) return text(503, 'the clock of this witness went back')
  const note = bare(request.checkpoint, log.keys)
  const line = await signCosignature(note, { ...cosigner, time: at })
  store.save({ origin, size, root, note: appendSignature(note, line), at })
  return { status: 200, type: 'text/plain; charset=utf-8', body: line }
}

/** One request of a log after the other: what was checked must still hold when it is written down. */
export function makeAddCheckpoint(rooms: WitnessRooms): (body: Uint8Array) => Promise<Answer> {
  const queues = new Map<string, Promise<unknown>>()
  return async (body) => {
    const parsed = read(body)
    if ('status' in parsed) return parsed
    const { request, checkpoint } = parsed
    const log = rooms.logs.get(checkpoint.origin)
    if (!log) return text(404, 'this witness does not know that log')
    try {
      await verifyNote(request.checkpoint, log.keys)
    } catch (error) {
      if (error instanceof ProofError) return text(403, error.message)
      throw error
    }
    if (request.old > checkpoint.size) return text(400, 'the old size is above that of the checkpoint')
    const turn = (queues.get(log.origin) ?? Promise.resolve()).then(() => cosign(rooms, log, parsed))
    queues.set(
      log.origin,
      turn.catch(() => undefined),
    )
    return turn
  }
}
