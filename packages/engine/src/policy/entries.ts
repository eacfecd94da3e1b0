/** What the ledger is told of policies: digests and places, no texts. */
import type { EntryDraft } from '@ephor/engine/ledger'
import type { Finding } from './types.ts'

const MAX_NAMED = 20

/** The entry of an activation by its number, so that a start can ask the ledger which texts were the last. */
export const activationId = (activation: number) => `policy/activation/${activation}`

export function activatedEntry(what: {
  activation: number
  version: string
  policies: number
  previous: string | undefined
  schema: string
}): EntryDraft {
  const { activation, version, policies, previous, schema } = what
  return {
    type: 'policy.activated',
    id: activationId(activation),
    body: { activation, version, policies, schema, previous: previous ?? null },
  }
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
