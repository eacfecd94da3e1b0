/** The vault on the wire: secrets go in and are named; no operation gives a value back. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

/** What `secret:NAME` may name. */
export const SecretName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'letters, digits, dot, underscore and hyphen, at most 128')

export const SecretView = z.object({
  name: z.string(),
  version: z.number().int().describe('Counts up each time it is stored anew.'),
  storedAt: z.iso.datetime(),
})
export type SecretView = z.output<typeof SecretView>

const params = z.object({ name: SecretName })

export const vaultOperations = {
  listSecrets: {
    method: 'GET',
    path: '/v1/vault',
    summary: 'List the secrets by name',
    tag: 'vault',
    who: 'person',
    response: z.object({ items: z.array(SecretView) }),
  },
  putSecret: {
    method: 'PUT',
    path: '/v1/vault/{name}',
    summary: 'Store a secret; its value can be used from then on, and never be read back',
    tag: 'vault',
    who: 'person',
    params,
    body: z.strictObject({ value: z.string().min(1).max(16_384) }),
    response: SecretView,
  },
  removeSecret: {
    method: 'DELETE',
    path: '/v1/vault/{name}',
    summary: 'Remove a secret',
    tag: 'vault',
    who: 'person',
    params,
    response: SecretView,
  },
} satisfies Operations
