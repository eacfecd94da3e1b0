/** Resolves a fork when no server runs: Ephor refuses to start, or was stopped. Whoever has the data folder is the operator. */
import type { AcceptedHistory } from '@ephor/engine/ledger'
import { resolveForkOffline } from '@ephor/server'
import { settingsOf } from '../connection.ts'
import type { CommonOptions } from '../connection.ts'
import { json, line } from '../output.ts'
import type { Io } from '../output.ts'

export async function resolveOffline(io: Io, options: CommonOptions, accept: AcceptedHistory): Promise<void> {
  const refused = await resolveForkOffline(settingsOf(io, options), accept)
  if (options.json) json(io, refused)
  else
    line(io, `Resolved and recorded: ${refused.length} other ${refused.length === 1 ? 'history' : 'histories'} refused. Start Ephor again.`)
}
