/** The registry's own tables: the rows as they are read, and the changes that write them. */
import type { Change, Store } from '@ephor/engine/kernel'
import type { Pinned } from './check-definitions.ts'
import type { Proposal } from './propose-classification.ts'

export type ServerRow = {
  name: string
  state: 'proposed' | 'accepted' | 'removed'
  transport: string
  folders: string
  salt: string
  refusal: string | null
}

export type ToolRow = {
  server: string
  name: string
  state: 'proposed' | 'accepted' | 'changed' | 'gone'
  kind: string
  risk: string
  paths: string
  digest: string
  definition: string
  seen_digest: string | null
  seen: string | null
}

export type AgentRow = {
  id: string
  name: string
  owner: string
  purpose: string
  expires_at: number
  state: 'active' | 'retired'
  salt: string
  groups: string
  tier: number | null
  standing: string | null
}

export type TrustRow = Pick<AgentRow, 'groups' | 'tier' | 'standing'>

type Tables = {
  registry_server: ServerRow & { tenant: string }
  registry_tool: ToolRow & { tenant: string }
  registry_agent: AgentRow & { tenant: string }
}

/** Rows in order of their keys; of one server when it is named. */
export async function readServers(store: Store, name?: string): Promise<ServerRow[]> {
  let query = store.reader<Tables>().selectFrom('registry_server').where('tenant', '=', store.tenant)
  if (name !== undefined) query = query.where('name', '=', name)
  return query.select(['name', 'state', 'transport', 'folders', 'salt', 'refusal']).orderBy('name').execute()
}

export async function readTools(store: Store, server?: string): Promise<ToolRow[]> {
  let query = store.reader<Tables>().selectFrom('registry_tool').where('tenant', '=', store.tenant)
  if (server !== undefined) query = query.where('server', '=', server)
  return query
    .select(['server', 'name', 'state', 'kind', 'risk', 'paths', 'digest', 'definition', 'seen_digest', 'seen'])
    .orderBy('server')
    .orderBy('name')
    .execute()
}

export async function readAgents(store: Store, id?: string): Promise<AgentRow[]> {
  let query = store.reader<Tables>().selectFrom('registry_agent').where('tenant', '=', store.tenant)
  if (id !== undefined) query = query.where('id', '=', id)
  return query
    .select(['id', 'name', 'owner', 'purpose', 'expires_at', 'state', 'salt', 'groups', 'tier', 'standing'])
    .orderBy('id')
    .execute()
}

const AT_SERVER = 'WHERE tenant = @tenant AND name = ?'
const AT_TOOL = 'WHERE tenant = @tenant AND server = ? AND name = ?'

/** A proposal of a new server, or over a removed one of the same name. */
export function insertServer(row: Omit<ServerRow, 'state' | 'refusal'>): Change[] {
  return [
    { sql: 'DELETE FROM registry_tool WHERE tenant = @tenant AND server = ?', params: [row.name] },
    {
      sql: `INSERT INTO registry_server (tenant, name, state, transport, folders, salt) VALUES (@tenant, ?, 'proposed', ?, ?, ?)
        ON CONFLICT (tenant, name) DO UPDATE SET state = 'proposed', transport = excluded.transport, folders = excluded.folders,
        salt = excluded.salt, refusal = NULL WHERE registry_server.state = 'removed'`,
      params: [row.name, row.transport, row.folders, row.salt],
      rows: 1,
    },
  ]
}

export function acceptServerRow(name: string): Change {
  return { sql: `UPDATE registry_server SET state = 'accepted' ${AT_SERVER} AND state <> 'removed'`, params: [name], rows: 1 }
}

export function removeServerRow(name: string): Change[] {
  return [
    { sql: `UPDATE registry_server SET state = 'removed' ${AT_SERVER} AND state <> 'removed'`, params: [name], rows: 1 },
    { sql: 'DELETE FROM registry_tool WHERE tenant = @tenant AND server = ?', params: [name] },
  ]
}

export function setRefusal(name: string, refusal: string | null): Change {
  return { sql: `UPDATE registry_server SET refusal = ? ${AT_SERVER} AND state <> 'removed'`, params: [refusal, name], rows: 1 }
}

/** A tool never accepted, as seen now; over its older proposal. */
export function proposeToolRow(server: string, pinned: Pinned, as: Proposal): Change {
  return {
    sql: `INSERT INTO registry_tool (tenant, server, name, state, kind, risk, paths, digest, definition) VALUES (@tenant, ?, ?, 'proposed', ?, ?, ?, ?, ?)
      ON CONFLICT (tenant, server, name) DO UPDATE SET kind = excluded.kind, risk = excluded.risk, paths = excluded.paths,
      digest = excluded.digest, definition = excluded.definition WHERE registry_tool.state = 'proposed'`,
    params: [server, pinned.name, as.kind, as.risk, JSON.stringify(as.paths), pinned.digest, pinned.text],
    rows: 1,
  }
}

export function changeToolRow(server: string, pinned: Pinned): Change {
  return {
    sql: `UPDATE registry_tool SET state = 'changed', seen_digest = ?, seen = ? ${AT_TOOL} AND state <> 'proposed'`,
    params: [pinned.digest, pinned.text, server, pinned.name],
    rows: 1,
  }
}

/** The server gives the accepted definition again. */
export function restoreToolRow(server: string, name: string): Change {
  return {
    sql: `UPDATE registry_tool SET state = 'accepted', seen_digest = NULL, seen = NULL ${AT_TOOL} AND state <> 'proposed'`,
    params: [server, name],
    rows: 1,
  }
}

/** A tool that was accepted keeps its pin, in case it comes back; one that never was is forgotten. */
export function loseToolRow(server: string, name: string, wasAccepted: boolean): Change {
  return wasAccepted
    ? {
        sql: `UPDATE registry_tool SET state = 'gone', seen_digest = NULL, seen = NULL ${AT_TOOL}`,
        params: [server, name],
        rows: 1,
      }
    : { sql: `DELETE FROM registry_tool ${AT_TOOL}`, params: [server, name], rows: 1 }
}

/** Pins what is seen, provided that it is still `digest`. */
export function acceptToolRow(server: string, name: string, digest: string, as: Proposal): Change {
  return {
    sql: `UPDATE registry_tool SET state = 'accepted', kind = ?, risk = ?, paths = ?, definition = coalesce(seen, definition),
      digest = coalesce(seen_digest, digest), seen = NULL, seen_digest = NULL ${AT_TOOL} AND coalesce(seen_digest, digest) = ?`,
    params: [as.kind, as.risk, JSON.stringify(as.paths), server, name, digest],
    rows: 1,
  }
}

export function classifyToolRow(server: string, name: string, as: Proposal): Change {
  return {
    sql: `UPDATE registry_tool SET kind = ?, risk = ?, paths = ? ${AT_TOOL}`,
    params: [as.kind, as.risk, JSON.stringify(as.paths), server, name],
    rows: 1,
  }
}

export function insertAgent(row: Omit<AgentRow, 'state' | keyof TrustRow>): Change {
  return {
    sql: `INSERT INTO registry_agent (tenant, id, name, owner, purpose, expires_at, state, salt) VALUES (@tenant, ?, ?, ?, ?, ?, 'active', ?)`,
    params: [row.id, row.name, row.owner, row.purpose, row.expires_at, row.salt],
    rows: 1,
  }
}

/** What `trust` says replaces what was said before. */
export function trustAgentRow(id: string, { groups, tier, standing }: TrustRow): Change {
  return {
    sql: 'UPDATE registry_agent SET groups = ?, tier = ?, standing = ? WHERE tenant = @tenant AND id = ?',
    params: [groups, tier, standing, id],
    rows: 1,
  }
}

export function extendAgentRow(id: string, expiresAt: number): Change {
  return {
    sql: `UPDATE registry_agent SET expires_at = ? WHERE tenant = @tenant AND id = ? AND state = 'active'`,
    params: [expiresAt, id],
    rows: 1,
    fault: 'AGENT_RETIRED',
  }
}

/** Overwrites who it was, with the salt that linked it to what the ledger said of it. */
export function eraseAgentRow({ id, name, purpose, salt }: Pick<AgentRow, 'id' | 'name' | 'purpose' | 'salt'>): Change {
  return {
    sql: `UPDATE registry_agent SET name = ?, purpose = ?, salt = ? WHERE tenant = @tenant AND id = ? AND state = 'retired'`,
    params: [name, purpose, salt, id],
    rows: 1,
    fault: 'STILL_ACTING',
  }
}

export function retireAgentRow(id: string): Change {
  return {
    sql: `UPDATE registry_agent SET state = 'retired' WHERE tenant = @tenant AND id = ? AND state = 'active'`,
    params: [id],
    rows: 1,
  }
}
