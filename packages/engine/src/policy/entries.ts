/** What the ledger is told of policies: digests and places, no texts. */
import { hash } from 'node:crypto'
import type { EntryDraft } from '@ephor/engine/ledger'
import type { Finding } from './types.ts'
import type { StageStep } from './versions-store.ts'

const MAX_NAMED = 20

/** What entries say of texts that stay in the rows: SHA-256, base64url. */
export const digestOfText = (text: string) => hash('sha256', text, 'base64url')

/** The rows of signatures and of the folder that a step writes. */
export type SignedStep = {
  /** The envelope that is put for its version; undefined when the one that is there holds again. */
  envelope?: string | undefined
  /** The version that decides nothing from now on. */
  withdraws?: string | undefined
  /** What the policy folder holds. */
  folder?: string | undefined
}

/** `signed` is null where a signature that is there holds again, so that it can be told from an entry of before that says nothing. */
function signedBody({ envelope, withdraws, folder }: SignedStep): EntryDraft['body'] {
  return {
    signed: envelope === undefined ? null : digestOfText(envelope),
    ...(withdraws === undefined ? {} : { withdraws }),
    ...(folder === undefined ? {} : { folder }),
  }
}

/** The entry of an activation by its number, so that a start can ask the ledger which texts were the last. */
export const activationId = (activation: number) => `policy/activation/${activation}`

export function activatedEntry(what: {
  activation: number
  version: string
  policies: number
  previous: string | undefined
  schema: string
  /** The version whose charter says who may change policies, when one does. */
  governor: string | undefined
  /** ms since 1970 */
  activatedAt: number
  step: SignedStep
}): EntryDraft {
  const { activation, version, policies, previous, schema, governor, activatedAt, step } = what
  return {
    type: 'policy.activated',
    id: activationId(activation),
    body: {
      activation,
      version,
      policies,
      schema,
      previous: previous ?? null,
      ...(governor === undefined ? {} : { governor }),
      activatedAt,
      ...signedBody(step),
    },
  }
}

export const stageId = (step: number) => `policy/stage/${step}`

/** Of a version that is tried beside the active one from now on, or of none any more. */
export function stagedEntry({ step, activation, stage }: StageStep, signed: SignedStep): EntryDraft {
  // The salt is made of 16 random bytes: its digest tells nobody which sessions are in.
  const tried = stage
    ? { version: stage.version, mode: stage.mode, percent: stage.percent, salt: digestOfText(stage.salt) }
    : { version: null }
  return { type: 'policy.staged', id: stageId(step), body: { step, activation, ...tried, ...signedBody(signed) } }
}

/** @param version of the texts, or of what kept them from being read */
export function refusedEntry(version: string, findings: readonly Finding[], active: string | undefined): EntryDraft {
  const errors = findings.filter(({ severity }) => severity === 'error')
  return {
    type: 'policy.refused',
    body: {
      version,
      active: active ?? null,
      errors: errors.length,
      findings: errors.slice(0, MAX_NAMED).map(({ code, file, line, column }) => ({ code, file: file.slice(0, 100), line, column })),
    },
  }
}
