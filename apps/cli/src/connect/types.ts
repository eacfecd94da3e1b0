/** The words of connecting: where MCP clients keep their servers, what would change there, what was changed. */
import type { ServerDraft } from '@ephor/engine/registry'

/** `other`: a file of the common shape (`mcpServers`) whose client is not known. */
export type Client = 'claude-desktop' | 'claude-code' | 'cursor' | 'vscode' | 'other'

export type Location = {
  client: Client
  /** Absolute; links resolved. */
  file: string
  /** A project's file is often shared through version control: no credential is written there. */
  scope: 'user' | 'project'
  /** The project's folder, which relative commands and `${workspaceFolder}` mean. */
  folder?: string
}

/** How a client reaches Ephor. */
export type Target = {
  /** For clients that speak HTTP; others, and files of projects, get the command. */
  http?: { url: string; credential: string }
  stdio: { command: string; args: string[]; env?: Record<string, string> }
}

/** Keys from the root of the file to an object of servers. */
export type Section = string[]

/** A secret that the file only refers to: somebody has to store it before the server can start. */
export type MissingSecret = { secret: string; because: string }

/** A server found in a file and what will happen to it. */
export type FoundServer = {
  /** As the file calls it. */
  name: string
  section: Section
} & (
  | {
      action: 'import'
      /** As Ephor will call it, unless the name is taken by another server. */
      as: string
      /** With secrets as references; as `ephor servers` will show it. */
      transport: ServerDraft['transport']
      /** Names in the vault that its secrets move to. */
      secrets: string[]
      missing: MissingSecret[]
    }
  | { action: 'leave'; because: string }
)

/** What connecting would do to one file. Holds no secret value. */
export type Plan = {
  client: Client
  file: string
  /** SHA-256 of the file that was looked at; applying refuses another. */
  digest: string
  servers: FoundServer[]
  /** Where the `ephor` entry goes, and how the client will reach Ephor. */
  entry: { section: Section; speaks: 'http' | 'stdio' }
  /** One sentence each. Empty when the file is connected already and holds nothing to import. */
  changes: string[]
}

/** What the library needs of Ephor. */
export interface Importer {
  /**
   * Stores the secrets of the draft in the vault and proposes the server: `POST /v1/servers`.
   * @throws Fault CONFLICT when the name is taken by another server
   */
  proposeServer(draft: ServerDraft): Promise<void>
}

export type Applied = {
  file: string
  /** Readable by its owner only, since it holds what the file held. Absent when nothing had to change. */
  backup?: string
  imported: { name: string; as: string }[]
  left: { name: string; because: string }[]
  missing: MissingSecret[]
}

export type Disconnected = {
  file: string
  /** `restored`: byte by byte as it was. `merged`: it was edited since, so only our entry went and the servers came back. */
  kind: 'restored' | 'merged' | 'unchanged'
  /** Servers put back. */
  servers: string[]
  /** Kept when the file was merged. */
  backup?: string
  detail: string
}
