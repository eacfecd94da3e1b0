/** What a permit is tied to, where it concerns how a call runs and what comes back; rate limits have a file of their own. */
import { isRedactionCategory } from '@ephor/contract'
import type { Redactor } from '@ephor/engine/guards'
import type { Json } from '@ephor/engine/kernel'
import type { Witnesses } from '@ephor/engine/ledger'
import type { Obligation } from '@ephor/engine/policy'
import { digestOf } from './digest.ts'
import type { Ended } from './run-bounded.ts'
import type { Door } from './types.ts'

/** ms: how long it may take, the strictest of all that say. */
export function timeoutOf(obligations: readonly Obligation[], most: number): number {
  return Math.min(most, ...obligations.flatMap((one) => (one.kind === 'timeout' ? [one.ms] : [])))
}

/** How many witnesses must have cosigned the record of the decision before the call runs. `quorum`: what the ledger asks for. */
export function witnessesOf(obligations: readonly Obligation[], quorum: number): number {
  return Math.max(0, ...obligations.flatMap((one) => (one.kind === 'witnessed' ? [one.count ?? quorum] : [])))
}

const categoriesOf = (obligations: readonly Obligation[]) => obligations.flatMap((one) => (one.kind === 'redact' ? [one.category] : []))

/**
 * Why the call can't run as the permit demands; undefined when it can. An enforcement point is told its obligations and
 * keeps them, or must not act: that is not ours to judge.
 */
export function unmet(door: Door, obligations: readonly Obligation[], witnesses?: Witnesses): string | undefined {
  if (door === 'api') return undefined
  const witnessed = obligations.find((one) => one.kind === 'witnessed')
  const { configured = 0, quorum = 0 } = witnesses ?? {}
  if (witnessed && (configured === 0 || witnessesOf(obligations, quorum) > configured))
    return `the policy ${witnessed.policy} asks for more witnesses than this ledger has, which is ${configured}`
  const sandbox = obligations.find((one) => one.kind === 'sandbox')
  if (sandbox) return `no sandbox profile ${sandbox.profile} is available here (policy ${sandbox.policy})`
  const unknown = categoriesOf(obligations).find((category) => !isRedactionCategory(category))
  return unknown === undefined ? undefined : `nothing here can tell what ${unknown} is, so it can't be redacted`
}

type Shown = { value: Json; redacted?: Record<string, number> } | { withheld: string }

/** A value as it may leave: without what is to be redacted, or not at all. */
export async function redacted(redactor: Redactor, value: Json, obligations: readonly Obligation[]): Promise<Shown> {
  const categories = categoriesOf(obligations)
  if (categories.length === 0) return { value }
  const known = categories.filter(isRedactionCategory)
  if (known.length < categories.length) return { withheld: 'nothing here can tell what is to be redacted' }
  const result = await redactor.redact(value, known)
  if (result.kind === 'unexaminable') return { withheld: result.detail }
  return { value: result.value, ...(Object.keys(result.found).length > 0 ? { redacted: result.found } : {}) }
}

/** How a call ended, as the agent and the record get it: a tool server's words for a failure are examined like a result. */
export async function redactEnded(redactor: Redactor, ended: Ended, obligations: readonly Obligation[]): Promise<Ended> {
  const { status } = ended
  const shown = await redacted(redactor, 'fault' in ended ? ended.detail : ended.value, obligations)
  if ('withheld' in shown) {
    const detail = `the call ended as ${status}, but what it answered is withheld: ${shown.withheld}`
    return { status, fault: 'OBLIGATION_UNMET', detail }
  }
  return 'fault' in ended ? { ...ended, detail: shown.value as string } : { ...ended, ...shown }
}

/** How much of a result the record keeps unless a permit says `log:full`, in bytes of JSON. */
const KEPT_BYTES = 64 * 1024

/** A result as the record keeps it; of one that is longer, the beginning, and the digest that the whole can be proven with. */
export function kept(value: Json, obligations: readonly Obligation[]): { value: Json; truncated?: true } {
  const text = Buffer.from(JSON.stringify(value))
  if (text.length <= KEPT_BYTES || obligations.some(({ kind }) => kind === 'log')) return { value }
  // A character that was cut in two decodes to a replacement character.
  const beginning = text.toString('utf8', 0, KEPT_BYTES).replace(/\ufffd$/u, '')
  return { value: { bytes: text.length, digest: digestOf(value), beginning }, truncated: true }
}
