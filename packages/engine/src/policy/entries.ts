/** What the ledger is told of policies: digests and places, no texts. */
import type { EntryDraft } from '@ephor/engine/ledger'
import type { Finding } from './types.ts'
import type { StageStep } from './versions-store.ts'

const MAX_NAMED = 20

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
}): EntryDraft {
  const { activation, version, policies, previous, schema, governor } = what
  return {
    type: 'policy.activated',
    id: activationId(activation),
    body: { activation, version, policies, schema, previous: previous ?? null, ...(governor === undefined ? {} : { governor }) },
  }
}

export const stageId = (step: number) => `policy/stage/${step}`

/** Of a version that is tried beside the active one from now on, or of none any more. */
export function stagedEntry({ step, activation, stage }: StageStep): EntryDraft {
  const tried = stage ? { version: stage.version, mode: stage.mode, percent: stage.percent } : { version: null }
  return { type: 'policy.staged', id: stageId(step), body: { step, activation, ...tried } }
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
