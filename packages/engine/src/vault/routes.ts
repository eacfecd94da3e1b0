/** The vault over HTTP: people store, name and remove secrets; no answer holds a value. */
import { vaultOperations } from '@ephor/contract'
import type { SecretView } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import type { Secret, Vault } from './types.ts'

const view = ({ name, version, storedAt }: Secret): SecretView => ({ name, version, storedAt: isoTime(storedAt) })

export function mountVault(app: FastifyInstance, vault: Vault, authenticate: Authenticate): void {
  const handlers: Parameters<typeof mount<typeof vaultOperations>>[2] = {
    listSecrets: () => Promise.resolve({ items: vault.list().map(view) }),
    putSecret: async ({ params, body, principal }) => view(await vault.put(params.name, body.value, principal.id)),
    removeSecret: async ({ params, principal }) => view(await vault.remove(params.name, principal.id)),
  }
  mount(app, vaultOperations, handlers, authenticate)
}
