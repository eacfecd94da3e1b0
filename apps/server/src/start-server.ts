/** Starts Ephor on a data folder, and stops it so that nothing in flight is lost. */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Fault } from '@ephor/contract'
import { serveEnvoy } from '@ephor/engine/doors'
import type { EnvoyServer } from '@ephor/engine/doors'
import type { Logger } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import { finishRestore } from './backup/finish-restore.ts'
import { buildApp, identifyAgent, openRooms } from './compose.ts'
import type { Origins, Rooms } from './compose.ts'
import { firstRun } from './first-run.ts'
import type { Demo } from './first-run.ts'
import { prepareHome } from './prepare-home.ts'
import { removeRunFile, writeRunFile } from './run-file.ts'
import type { LoadedSettings } from './settings/load-settings.ts'
import type { Settings } from './settings/schema.ts'

export type RunningServer = {
  /** Where people and agents reach it. */
  url: string
  rooms: Rooms
  demo: Demo | undefined
  /** A fresh one-time address that signs the operator in. */
  signInLink(): Promise<string>
  /** Stops listening, waits for calls in flight, seals, closes. Resolves with how many calls were cut off. */
  stop(): Promise<number>
}

/** Tokens name the address, so it must be known before anything is opened. */
function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, host, () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}

function originsOf({ host, publicUrl }: Settings, port: number): Origins {
  const anyAddress = host === '0.0.0.0' || host === '::'
  const names = [...new Set([...(anyAddress ? [] : [host.includes(':') ? `[${host}]` : host]), '127.0.0.1', 'localhost', '[::1]'])]
  const local = names.map((name) => `http://${name}:${port}`)
  const own = publicUrl === undefined ? (local[0] ?? '') : publicUrl.replace(/\/+$/, '')
  return { own, others: publicUrl === undefined ? local.slice(1) : [new URL(publicUrl).origin, ...local] }
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code === 'EADDRINUSE') throw new Fault('PORT_TAKEN', `${host}:${port} is used by another program`, { cause: error })
    if (code === 'EACCES') throw new Fault('PORT_TAKEN', `${host}:${port} needs rights that this user does not have`, { cause: error })
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new Fault('SETTINGS_INVALID', `the setting "host" is not an address of this machine: ${host}`, { cause: error })
    throw new Fault('INTERNAL', message, { cause: error })
  }
}

/** The listener for Envoy, where the settings name one. */
async function listenForEnvoy(rooms: Rooms, { envoy }: Settings, origin: string, log: Logger): Promise<EnvoyServer | undefined> {
  if (envoy.listen === undefined) return undefined
  const identify = (bearer: string) => identifyAgent(rooms, bearer)
  try {
    return await serveEnvoy({ rooms: { ...rooms, origin }, identify, listen: envoy.listen, log })
  } catch (error) {
    throw new Fault('PORT_TAKEN', `${envoy.listen} (the setting envoy.listen) can’t be listened on: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** A server that no longer offers what was accepted is found out at the start, not at the next call. */
function inspectServers({ registry, upstreams }: Rooms, log: Logger): void {
  for (const { name } of registry.servers().filter(({ state }) => state === 'accepted'))
    upstreams.inspect(name).catch((error: unknown) => {
      // A stop in the middle of it is no news.
      if (error instanceof Fault && error.code === 'CALL_CANCELLED') return
      log.warn({ server: name, err: error }, 'a tool server could not be reached; it is tried again')
    })
}

/** @throws Fault PORT_TAKEN, HOME_UNWRITABLE, KEY_UNSAFE, STORE_LOCKED, STORE_CORRUPT, LEDGER_FORKED, …: one for each thing to put right. */
export async function startServer({ settings }: Pick<LoadedSettings, 'settings'>, log: Logger): Promise<RunningServer> {
  const { home, host, policyFolder } = settings
  finishRestore(home)
  prepareHome(home, policyFolder)
  const port = settings.port === 0 ? await freePort(host) : settings.port
  const origins = originsOf(settings, port)
  const rooms = await openRooms(settings, origins, log)
  let app: FastifyInstance | undefined
  let envoy: EnvoyServer | undefined
  try {
    const unfinished = await rooms.broker.recover()
    if (unfinished > 0) log.warn({ unfinished }, 'calls that were in flight when Ephor last stopped are sealed as unknown')
    const demo = settings.demo ? await firstRun(rooms, home) : undefined
    inspectServers(rooms, log)
    const built = buildApp(rooms, settings, origins, log)
    app = built.app
    await listen(app, host, port)
    envoy = await listenForEnvoy(rooms, settings, origins.own, log)
    writeRunFile(home, origins.own)
    log.info({ url: origins.own }, 'listening')
    return {
      url: origins.own,
      rooms,
      demo,
      signInLink: async () => `${origins.own}/#code=${(await rooms.identity.createLink(rooms.identity.operator)).code}`,
      stop: once(() => stop({ ...built, envoy }, rooms, settings, log)),
    }
  } catch (error) {
    await envoy?.close()
    await app?.close()
    await rooms.close()
    throw error
  }
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  return () => (running ??= work())
}

type Listening = ReturnType<typeof buildApp> & { envoy: EnvoyServer | undefined }

async function stop({ app, endStreams, envoy }: Listening, rooms: Rooms, settings: Settings, log: Logger): Promise<number> {
  removeRunFile(settings.home)
  // Stops listening at once; connections with a request on them stay until they are answered.
  const closed = Promise.all([app.close(), envoy?.close()])
  const left = await rooms.broker.drain(settings.drain)
  if (left > 0) log.warn({ left }, 'calls in flight did not end in time; their outcome is unknown')
  endStreams()
  await rooms.gateway.close()
  const patience = setTimeout(() => app.server.closeAllConnections(), 1000)
  await closed
  clearTimeout(patience)
  await rooms.close()
  return left
}
