/** A ledger with a search on it, for the tests of this folder. */
import { randomBytes } from 'node:crypto'
import { makeLog } from '@ephor/engine/kernel'
import type { JsonObject } from '@ephor/engine/kernel'
import { openWorld } from '../ledger.fixture.ts'
import type { World } from '../ledger.fixture.ts'
import { openSearch } from './open-search.ts'
import type { Search } from './open-search.ts'
import type { Reasons } from './terms.ts'

export const VERSION = `sha256:${'ab'.repeat(32)}`
export const REASONS: Reasons = {
  'folders/outside': 'The path is outside the folders that the tool server is confined to.',
  'reads/1': 'Reading is permitted.',
}

export type SearchWorld = World & { search: Search }

/** @param folder of an earlier world @param replica on that world's store */
export async function openSearchWorld(folder?: string, replica?: string): Promise<SearchWorld> {
  const world = await openWorld(folder, replica === undefined ? {} : { replica })
  const reasons = async (version: string) => (version === VERSION ? REASONS : {})
  const search = await openSearch({ store: world.store, log: makeLog('silent'), reasons })
  return {
    ...world,
    search,
    async close() {
      await search.close()
      await world.close()
    },
  }
}

export const traceId = () => randomBytes(16).toString('hex')

/** The body of a decision as the broker writes it. */
export function decisionBody(of: { agent: string; tool?: string; effect?: string; more?: JsonObject }): JsonObject {
  const { agent, tool = 'read_file', effect = 'permit', more = {} } = of
  return {
    effect,
    door: 'mcp',
    principal: { type: 'agent', id: agent, credential: 'crd_01' },
    session: 'a-session',
    method: 'tools/call',
    server: 'files',
    tool: { server: 'files', name: tool, digest: VERSION, kind: 'read', risk: effect === 'permit' ? 'low' : 'high' },
    policy: VERSION,
    digest: VERSION,
    reasons: effect === 'permit' ? ['reads/1'] : ['folders/outside'],
    ...(effect === 'deny' ? { fault: 'POLICY_DENIED' } : {}),
    ...more,
  }
}
