/** How the command line reaches the running server, and proves that it runs as the owner of the data folder. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { allOperations, Fault } from '@ephor/contract'
import { signOperatorAssertion } from '@ephor/engine/identity'
import { loadKeys } from '@ephor/engine/kernel'
import { makeClient } from '@ephor/sdk'
import type { Client, ClientOptions } from '@ephor/sdk'
import { loadSettings, readRunFile } from '@ephor/server'
import type { EffectiveSettings } from '@ephor/server'
import type { Io } from './output.ts'

export type CommonOptions = { home?: string; config?: string; url?: string; json?: boolean }

export type Connection = { settings: EffectiveSettings; url: string; options: ClientOptions; client: Client<typeof allOperations> }

export function settingsOf(io: Io, options: CommonOptions): EffectiveSettings {
  return loadSettings({ folder: io.folder, environment: io.environment, flags: { home: options.home }, config: options.config }).settings
}

/** A signature for each request: good for a minute, worth nothing to whoever reads it later. */
function operatorBearer(home: string): () => Promise<string> {
  const folder = join(home, 'keys')
  if (!existsSync(join(folder, 'operator.key'))) throw new Fault('SERVER_UNREACHABLE', `there is no Ephor in ${home}, or it never ran`)
  const { operator } = loadKeys(folder)
  return () => signOperatorAssertion(operator, Date.now())
}

/** The address: `--url`, EPHOR_URL, what the running server wrote down, else what the settings say. */
export function connect(io: Io, options: CommonOptions): Connection {
  const settings = settingsOf(io, options)
  const host = settings.host === '0.0.0.0' || settings.host === '::' ? '127.0.0.1' : settings.host
  const local = `http://${host.includes(':') ? `[${host}]` : host}:${settings.port}`
  const url = options.url ?? io.environment['EPHOR_URL'] ?? readRunFile(settings.home)?.url ?? local
  const credential = io.environment['EPHOR_CREDENTIAL']
  // Whoever answers there could use the operator's signature here for a minute; and elsewhere it proves nothing.
  if (credential === undefined && !['127.0.0.1', 'localhost', '[::1]', settings.host].includes(new URL(url).hostname))
    throw new Fault('UNAUTHENTICATED', `to speak to ${url}, sign in there and set EPHOR_CREDENTIAL to the session (eps_…)`)
  const bearer = credential === undefined ? operatorBearer(settings.home) : () => credential
  const clientOptions = { url, bearer }
  return { settings, url, options: clientOptions, client: makeClient(allOperations, clientOptions) }
}
