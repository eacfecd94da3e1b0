/** For this room's tests: a world, a request, and the room opened on a real store with a ledger that keeps entries in memory. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { Fault } from '@ephor/contract'
import { makeLog, systemClock } from '@ephor/engine/kernel'
import type { JsonObject, Store } from '@ephor/engine/kernel'
import { openTestStore } from '@ephor/engine/kernel/testing'
import type { Entry, EntryDraft, Part } from '@ephor/engine/ledger'
import { openPolicy } from './open-policy.ts'
import type { PolicyOptions } from './open-policy.ts'
import { policyMigrations } from './store.ts'
import type { PolicyRequest, PolicyWorld } from './types.ts'

/** The same for every room, as for every start on the same data folder. */
export const KEY = generateKeyPairSync('ed25519').privateKey

type ToolOf = PolicyWorld['tools'][number]

export function toolOf(
  name: string,
  kind: ToolOf['kind'],
  properties: JsonObject = {},
  more: Partial<ToolOf> & { required?: string[] } = {},
) {
  const { required = [], ...rest } = more
  return { server: 'fs', name, kind, risk: 'low' as const, inputSchema: { type: 'object', properties, required }, ...rest }
}

export const world: PolicyWorld = {
  agents: [
    { id: 'agt_1', name: 'Ada', owner: 'per_1', purpose: 'files' },
    { id: 'agt_2', name: 'Bob', owner: 'per_2', purpose: 'mail' },
  ],
  servers: [
    { name: 'fs', folders: ['/srv'] },
    { name: 'mail', folders: [] },
  ],
  tools: [
    toolOf('read', 'read', { path: { type: 'string' }, lines: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } }),
    toolOf('write', 'write', { path: { type: 'string' }, force: { type: 'boolean' } }, { required: ['path'] }),
    toolOf('remove', 'destructive', { path: { type: 'string' } }, { risk: 'high' }),
    toolOf(
      'send',
      'external',
      { to: { type: 'string' }, opts: { type: 'object', properties: { urgent: { type: 'boolean' } } } },
      { server: 'mail' },
    ),
    toolOf('pay', 'money', { amount: { type: 'integer' } }, { server: 'mail', risk: 'critical' }),
  ],
}

export function requestOf(action: string, input: JsonObject = {}, facts: Partial<PolicyRequest['facts']> = {}): PolicyRequest {
  const server = action.startsWith('mail/') ? 'mail' : 'fs'
  return { principal: { type: 'Agent', id: 'agt_1' }, action, server, input, facts: { door: 'mcp', approvals: [], now: 0, ...facts } }
}

/** Appends in memory, with the rows of each part in the real store; a duplicate id is a CONFLICT, as in the ledger. */
export function memoryLedger(store: Store) {
  const entries: EntryDraft[] = []
  /** Kept apart: every room begins with one. */
  const worlds: EntryDraft[] = []
  return {
    entries,
    worlds,
    append: async ({ changes, entries: drafts }: Part) => {
      const known = [...entries, ...worlds]
      if (drafts.some(({ id }) => id !== undefined && known.some((one) => one.id === id))) throw new Fault('CONFLICT', 'the id is taken')
      await store.commit({ changes })
      return drafts.map((draft) => {
        const seq = (draft.type === 'policy.world' ? worlds : entries).push(draft) - 1
        return { origin: 'test', seq, leafHash: '' }
      })
    },
    find: async (id: string): Promise<Entry | undefined> => {
      const seq = entries.findIndex((one) => one.id === id)
      const draft = entries[seq]
      return draft && { seq, leafHash: '', body: draft.body }
    },
  }
}

/** A folder with these policy files; the store is `store.db` beside it. */
export function policyFolder(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-policy-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

export async function openRoom(files: Record<string, string>, options: Partial<PolicyOptions> = {}) {
  const folder = options.folder ?? policyFolder(files)
  const store =
    options.store ?? (await openTestStore({ folder: mkdtempSync(join(tmpdir(), 'ephor-policy-db-')), migrations: [policyMigrations] }))
  const ledger = memoryLedger(store)
  const lines: string[] = []
  const log = makeLog('info', new Writable({ write: (chunk, _encoding, done) => (lines.push(String(chunk)), done()) }))
  const policy = await openPolicy({ folder, world, store, ledger, key: KEY, log, clock: systemClock, ...options })
  return {
    policy,
    folder,
    store,
    ledger,
    lines,
    close: async () => {
      await policy.close()
      await store.close()
    },
  }
}

/** As openRoom; fails when the policies were refused. */
export async function openGoodRoom(files: Record<string, string>, options: Partial<PolicyOptions> = {}) {
  const room = await openRoom(files, options)
  const { refused } = room.policy.active()
  if (refused) throw new Error(JSON.stringify(refused.findings))
  return room
}

/** Repeats until it holds, for what happens in its own time. */
export async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 8000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it did not happen in 8 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
