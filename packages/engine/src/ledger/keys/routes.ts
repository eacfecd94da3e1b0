/** The ledger's keys over HTTP: everybody may see the chain, the operator changes it. */
import { Fault, ledgerKeysOperations } from '@ephor/contract'
import type { LedgerKeyView } from '@ephor/contract'
import { mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import type { LedgerKeys } from './change-keys.ts'
import type { ChainKey } from './key-chain.ts'

function view({ vkey, since, replacedAt, revokedAbove, reason }: ChainKey): LedgerKeyView {
  return {
    key: vkey,
    state: revokedAbove !== undefined ? 'revoked' : replacedAt !== undefined ? 'replaced' : 'current',
    ...(since >= 0 && { since }),
    ...(replacedAt !== undefined && { replacedAt }),
    ...(revokedAbove !== undefined && { revokedAbove }),
    ...(reason !== undefined && { reason }),
  }
}

export function mountLedgerKeys(
  app: FastifyInstance,
  keys: LedgerKeys,
  isOperator: (person: string) => boolean,
  authenticate: Authenticate,
): void {
  /** @throws Fault FORBIDDEN */
  function operator({ id }: { id: string }): string {
    if (!isOperator(id)) throw new Fault('FORBIDDEN', 'only the operator changes the keys of the ledger')
    return id
  }
  mount(
    app,
    ledgerKeysOperations,
    {
      listLedgerKeys: async () => ({ items: (await keys.list()).map(view) }),
      rotateLedgerKey: async ({ principal }) => view(await keys.rotate(operator(principal))),
      revokeLedgerKey: async ({ body, principal }) => view(await keys.revoke(body, operator(principal))),
    },
    authenticate,
  )
}
