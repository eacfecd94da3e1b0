/** What one ledger body has to look like by itself and beside the ones before it. */
import { fromUtf8 } from './bytes.ts'
import { isCanonical } from './canonicalize.ts'
import { IdMemory } from './id-memory.ts'
import { isKeyEntry } from './key-chain.ts'
import type { KeyEntry } from './key-chain.ts'

export type BodyProblem = { fault: 'ENTRY_INVALID' | 'ID_REPEATED' | 'LINK_INVALID'; detail: string }

/** On a person's word, and by a rule of retention. */
const ERASURES: readonly string[] = ['ledger.erased', 'ledger.expired']
const DIGEST = /^sha256:[0-9a-f]{64}$/

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTime(value: unknown): boolean {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isFinite(ms) && new Date(ms).toISOString() === value
}

function isCommitment(value: unknown): boolean {
  return isRecord(value) && typeof value['sha256'] === 'string' && DIGEST.test(value['sha256']) && Number.isSafeInteger(value['bytes'])
}

/** The sentence that says what is wrong with the members that every body has; undefined when nothing is. */
function wrongMember(body: Record<string, unknown>): string | undefined {
  if (body['v'] !== 1) return 'its version is not 1, the only one that this verifier knows'
  if (typeof body['type'] !== 'string' || body['type'] === '') return 'it has no type'
  if (!isTime(body['at'])) return 'its time is not RFC 3339 in UTC with milliseconds'
  if (typeof body['tenant'] !== 'string' || body['tenant'] === '') return 'it has no tenant'
  if (body['id'] !== undefined && (typeof body['id'] !== 'string' || body['id'] === '')) return 'its id is not a text'
  const commitments = body['commitments']
  if (commitments !== undefined && !(isRecord(commitments) && Object.values(commitments).every(isCommitment)))
    return 'a commitment is not a digest with a length'
  return undefined
}

/** Entries of a kind that a verdict names one by one: the first of them, and how many there are. */
const MAX_LISTED = 1000

/** An entry that says that payloads were destroyed, as it says it. */
export type Erasure = { seq: number; at: string; body: Record<string, unknown> }

/** Reads the bodies of a ledger in order and finds the first thing wrong with each. */
export class BodyChecker {
  readonly #ids = new IdMemory()
  readonly types: Record<string, number> = {}
  readonly keyEntries: KeyEntry[] = []
  /** The first 1,000 of type `ledger.erased` or `ledger.expired`; `types` counts all. */
  readonly erasures: Erasure[] = []
  readonly #whole: boolean

  /** @param whole false for some entries of a log: the decision of an outcome may be one of the others */
  constructor(whole = true) {
    this.#whole = whole
  }

  check(seq: number, bytes: Uint8Array): BodyProblem | undefined {
    let body: unknown
    let canonical: boolean
    try {
      const text = fromUtf8(bytes)
      body = JSON.parse(text)
      canonical = isCanonical(text, body)
    } catch (error) {
      return { fault: 'ENTRY_INVALID', detail: `it is not JSON: ${(error as Error).message}` }
    }
    if (!isRecord(body)) return { fault: 'ENTRY_INVALID', detail: 'it is not a JSON object' }
    if (!canonical) return { fault: 'ENTRY_INVALID', detail: 'it is not in the canonical form of RFC 8785' }
    const wrong = wrongMember(body)
    if (wrong) return { fault: 'ENTRY_INVALID', detail: wrong }
    const type = body['type'] as string
    this.types[type] = (Object.hasOwn(this.types, type) ? (this.types[type] as number) : 0) + 1
    if (isKeyEntry(type)) this.keyEntries.push({ seq, body })
    if (ERASURES.includes(type) && this.erasures.length < MAX_LISTED) this.erasures.push({ seq, at: body['at'] as string, body })
    return this.#link(type, body['id'] as string | undefined, body['decision'])
  }

  #link(type: string, id: string | undefined, decision: unknown): BodyProblem | undefined {
    if (id !== undefined && !this.#ids.add(id, type === 'decision'))
      return { fault: 'ID_REPEATED', detail: `its id ${id} already stands in an earlier entry` }
    if (type !== 'outcome') return undefined
    const byId = id?.endsWith('/outcome') ? id.slice(0, -'/outcome'.length) : undefined
    const of = typeof decision === 'string' ? decision : byId
    if (of === undefined) return { fault: 'LINK_INVALID', detail: 'it is an outcome that names no decision' }
    if (byId !== undefined && byId !== of) return { fault: 'LINK_INVALID', detail: `it is an outcome of ${of} under the id of ${byId}` }
    if (this.#whole && !this.#ids.hasDecision(of))
      return { fault: 'LINK_INVALID', detail: `it is the outcome of ${of}, but no earlier entry is that decision` }
    return undefined
  }
}
