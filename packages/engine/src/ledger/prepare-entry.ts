/** Turns a draft into what is stored: the canonical body with its commitments, and the sealed payloads. */
import { hash } from 'node:crypto'
import { Fault } from '@ephor/contract'
import { freshBytes, isoTime, sealEnvelope } from '@ephor/engine/kernel'
import type { JsonObject } from '@ephor/engine/kernel'
import { canonicalize, MAX_ENTRY_BYTES, SALT_BYTES } from '@ephor/proof'
import type { Commitment } from '@ephor/proof'
import type { DataKey } from './data-keys.ts'
import type { SealedPayload } from './store.ts'
import type { EntryDraft, PayloadDraft } from './types.ts'

/** What crosses to the store's thread for one entry. */
export type PreparedEntry = { id: string | null; body: string; payloads: SealedPayload[] }

/** `keyOf`: what payloads of this name are sealed under for a subject at a time in ms. */
type SealedFor = { tenant: string; keyOf: (subject: string, payload: string, at: number) => DataKey }

const RESERVED = ['v', 'type', 'id', 'at', 'tenant', 'commitments', 'keys']

/** What a sealed payload belongs to: the commitment is unique by its salt, so that none can be moved to another entry. */
export function aboutPayload(tenant: string, commitment: string, name: string, key: string): string {
  return `ledger/${tenant}/payload/${commitment}/${name}/${key}`
}

/** Salt || text: what is committed to (as proof's `makeCommitment` does) and what is sealed are the same bytes, made once. */
function saltedBytes(text: string): Buffer {
  const salted = Buffer.allocUnsafe(SALT_BYTES + Buffer.byteLength(text))
  salted.set(freshBytes(SALT_BYTES))
  salted.write(text, SALT_BYTES)
  return salted
}

/**
 * Commits to each payload in the body, and seals those under one key in one envelope, one behind the other: sealing costs
 * more than what is sealed. Where one ends is known from the commitments; which key it was, the body says too, so that a
 * payload can't be passed off as one whose key was destroyed.
 */
function sealTogether(drafts: readonly PayloadDraft[], at: number, body: JsonObject, { tenant, keyOf }: SealedFor): SealedPayload[] {
  const commitments: Record<string, Commitment> = {}
  const together = new Map<DataKey, { names: string[]; salted: Buffer[] }>()
  for (const { name, subject, value } of drafts) {
    if (!/^\w+$/.test(name)) throw new Fault('INTERNAL', `"${name}" is no name for a payload`)
    const salted = saltedBytes(canonicalize(value))
    commitments[name] = { sha256: `sha256:${hash('sha256', salted, 'hex')}`, bytes: salted.length - SALT_BYTES }
    const key = keyOf(subject, name, at)
    const group = together.get(key)
    if (group) {
      group.names.push(name)
      group.salted.push(salted)
    } else together.set(key, { names: [name], salted: [salted] })
  }
  body['commitments'] = commitments
  const keys: Record<string, string> = (body['keys'] = {})
  return [...together].map(([key, { names, salted }]) => {
    const [name, first = ''] = [names.join(' '), names[0]]
    const plain = salted.length === 1 ? (salted[0] as Buffer) : Buffer.concat(salted)
    keys[key.name] = name
    const about = aboutPayload(tenant, commitments[first]?.sha256 ?? '', name, key.name)
    return { name, subject: key.name, sealed: sealEnvelope(key.key, about, plain) }
  })
}

/**
 * @param at ms since 1970
 * @throws Fault ENTRY_TOO_LARGE; ProofError CANONICAL_INVALID for a value that is not JSON.
 */
export function prepareEntry(draft: EntryDraft, at: number, sealedFor: SealedFor): PreparedEntry {
  for (const name of RESERVED)
    if (Object.hasOwn(draft.body, name)) throw new Fault('INTERNAL', `the ledger itself writes "${name}" into the body of ${draft.type}`)
  const body: JsonObject = { ...draft.body, v: 1, type: draft.type, at: isoTime(at), tenant: sealedFor.tenant }
  if (draft.id !== undefined) body['id'] = draft.id
  const payloads = draft.payloads && draft.payloads.length > 0 ? sealTogether(draft.payloads, at, body, sealedFor) : []
  const text = canonicalize(body)
  const size = Buffer.byteLength(text)
  if (size > MAX_ENTRY_BYTES) throw new Fault('ENTRY_TOO_LARGE', `the entry ${draft.type} has ${size} bytes`)
  return { id: draft.id ?? null, body: text, payloads }
}
