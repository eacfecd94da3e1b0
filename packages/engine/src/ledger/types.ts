/** What the ledger takes and gives. */
import type { Change, Json, JsonObject } from '@ephor/engine/kernel'
import type { DsseEnvelope, Receipt } from '@ephor/proof'
import type { DataKeys } from './data-keys.ts'
import type { EvidenceRequest } from './exports/make-evidence.ts'
import type { LedgerKeys } from './keys/change-keys.ts'
import type { SealedEntries, SealedQuery } from './sealed-entries.ts'
import type { Forks } from './witness/types.ts'

/** Something said or done whose content is kept encrypted; the body only commits to it. */
export type PayloadDraft = {
  /** `input`, `result`, `reason`, `definition`, …; once per entry. */
  name: string
  /** Whose keys encrypt it: the id of an agent or a person. Destroying them erases it. */
  subject: string
  value: Json
}

export type EntryDraft = {
  /** `decision`, `outcome`, `approval.opened`, `agent.registered`, … */
  type: string
  /** Idempotency key, unique in the ledger. */
  id?: string
  /** No personal data. The ledger adds v, type, id, at, tenant and commitments. */
  body: JsonObject
  payloads?: PayloadDraft[]
}

/** What a room wants written: row changes and ledger entries, together or not at all. */
export type Part = { changes: Change[]; entries: EntryDraft[] }

/** `leafHash` is hexadecimal. */
export type Entry = { seq: number; leafHash: string; body: JsonObject }

/** `root` is hexadecimal; `checkpoint` is a C2SP signed note. */
export type Head = { size: number; root: string; checkpoint: string }

/** A checkpoint that is stored and kept outside. `note` is a C2SP signed note. */
export type Published = { size: number; root: Uint8Array; note: string }

export interface Ledger {
  /** The log's name, as its checkpoints and receipts give it. */
  readonly origin: string
  /** The C2SP verifier key of its checkpoints: the current one. */
  readonly verifierKey: string
  /** What it was signed with so far, and how that changes. */
  readonly keys: LedgerKeys
  /** What payloads are sealed under: for the part of this room that destroys them. */
  readonly dataKeys: DataKeys
  /**
   * Durable when it resolves, one receipt an entry in their order.
   * @throws Fault CONFLICT when an `id` is already in the ledger, or the fault of a change: then nothing of the part is
   *   written. ENTRY_TOO_LARGE above 65,535 bytes of body. STORE_UNAVAILABLE when it can't be made durable. LEDGER_FORKED.
   */
  append(part: Part): Promise<Receipt[]>
  /** By idempotency key. @throws Fault STORE_CORRUPT when the row was tampered with; so do the other reads. */
  find(id: string): Promise<Entry | undefined>
  /** Those of some idempotency keys, by key. One that the signed tree does not prove is left out, as if it were not there. */
  findAll(ids: readonly string[]): Promise<Map<string, Entry>>
  /** Whether the signed tree proves them, or they were appended since. */
  proves(entries: readonly Entry[]): Promise<boolean>
  read(seq: number): Promise<Entry | undefined>
  /** In order. `after`: the seq before the first wanted; from the start unless said. */
  list(query: { after?: number; limit: number }): Promise<Entry[]>
  /**
   * Decrypted and checked against its commitment; undefined when there is none by that name, or an entry says that its key
   * was destroyed. @throws Fault STORE_CORRUPT also for a key that is missing though none says so
   */
  payload(seq: number, name: string): Promise<Json | undefined>
  /** Many entries with payloads at once, in order, for `openSealed` in another thread: none of them is checked here. */
  sealed(query: SealedQuery): Promise<SealedEntries>
  /**
   * Covers every entry acknowledged before the call.
   * @throws Fault SIGNER_UNAVAILABLE while no checkpoint can be signed; so does `proof`. Entries are durable all the same.
   */
  head(): Promise<Head>
  /** A c2sp.org/tlog-proof@v1 text. @throws Fault NOT_FOUND when there is no such entry. */
  proof(seq: number): Promise<string>
  /** One file of the tiled log: `checkpoint`, `tile/…`, `tile/entries/…`, `ledger.vkey`, `timestamps/…`; undefined when there is no such file. */
  file(path: string): Promise<Uint8Array | undefined>
  /**
   * Writes a self-contained copy that `ephor-verify` checks; an earlier export of this ledger is brought up to date.
   * @returns the entries in it and the files written
   * @throws Fault CONFLICT when the folder holds anything else.
   */
  exportTo(folder: string): Promise<{ size: number; files: number }>
  /**
   * Signs entries, each with its proof, as an in-toto statement in a DSSE envelope: what `verifyEvidence` checks.
   * @throws Fault STORE_CORRUPT when the tree does not prove one of them; SIGNER_UNAVAILABLE
   */
  evidence(request: EvidenceRequest): Promise<DsseEnvelope>
  /** Called after each publication, and never twice for one; it must not throw. @returns what ends it */
  onCheckpoint(listener: (published: Published) => void): () => void
  /** Two histories of this ledger, under its key: found, recorded and resolved here. */
  readonly forks: Forks
  /**
   * Set from when a fork is known until a person resolves it: nothing may be permitted meanwhile. When the store itself
   * turned out to hold another history, nothing is appended either, until a restart on the right one.
   */
  forked(): { detail: string } | undefined
  /** Signs what is not signed yet, if it can, and stops: what is left is signed at the next start. */
  close(): Promise<void>
}
