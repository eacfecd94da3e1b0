/** What was connected, kept in Ephor's data folder so that it can be undone. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@ephor/contract'
import { z } from 'zod'
import { readWhole, replaceFile } from './files.ts'

const Connection = z.strictObject({
  file: z.string(),
  client: z.enum(['claude-desktop', 'claude-code', 'cursor', 'vscode', 'other']),
  at: z.iso.datetime(),
  backup: z.string(),
  /** SHA-256 of the file before and after. */
  before: z.string(),
  after: z.string(),
  /** Where our entry went. */
  entry: z.array(z.string()),
  servers: z.array(z.strictObject({ name: z.string(), section: z.array(z.string()), as: z.string() })),
})
/** One rewrite of one file. */
export type Connection = z.output<typeof Connection>

const Connections = z.strictObject({ version: z.literal(1), connections: z.array(Connection) })

const fileIn = (home: string) => join(home, 'connections.json')

/**
 * Oldest first.
 * @param home the data folder
 * @throws Fault REQUEST_INVALID when somebody damaged the file
 */
export function readConnections(home: string): Connection[] {
  const file = fileIn(home)
  if (!existsSync(file)) return []
  try {
    return Connections.parse(JSON.parse(readWhole(file).bytes.toString())).connections
  } catch (error) {
    throw new Fault('REQUEST_INVALID', `${file} is damaged; the backups beside the clients' files still hold what was there`, {
      where: file,
      cause: error,
    })
  }
}

export function writeConnections(home: string, connections: readonly Connection[]): void {
  replaceFile(fileIn(home), Buffer.from(`${JSON.stringify({ version: 1, connections }, undefined, 2)}\n`))
}
