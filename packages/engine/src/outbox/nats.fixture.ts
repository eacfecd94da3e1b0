/** A real NATS server of the test's own, which can be killed and started again on the same files and port. */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as dial, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { CloudEvent } from '@ephor/engine/ledger'

const PROGRAM = ['nats-server', '/usr/sbin/nats-server'].find((name) => spawnSync(name, ['--version']).status === 0)
export const hasNats = PROGRAM !== undefined
if (!hasNats) process.stderr.write('nats-server is missing: the tests against a real NATS are skipped (apt-get install nats-server)\n')

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  return port
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = dial(port, '127.0.0.1')
    const up = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false)
    socket.destroy()
    if (up) return
    await sleep(20)
  }
}

export type Nats = Awaited<ReturnType<typeof startNats>>

/** @param more command-line arguments, such as those for authentication and TLS */
export async function startNats(...more: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'ephor-nats-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  async function start(): Promise<void> {
    child = spawn(PROGRAM ?? '', ['-js', '-a', '127.0.0.1', '-p', String(port), '-sd', folder, ...more], { stdio: 'ignore' })
    await listening(port)
  }
  async function kill(): Promise<void> {
    const dying = child
    child = undefined
    if (!dying) return
    const ended = once(dying, 'exit')
    dying.kill('SIGKILL')
    await ended
  }
  await start()
  return {
    url: `nats://127.0.0.1:${port}`,
    start,
    kill,
    stop: async () => {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** What a stream holds, read by a client of its own. */
export async function readStream(
  url: string,
  stream: string,
  count: number,
): Promise<{ subject: string; id: string; event: CloudEvent }[]> {
  const connection = await connect({ servers: url })
  try {
    const { streams } = await jetstreamManager(connection)
    const { state } = await streams.info(stream)
    if (state.messages < count) return []
    const consumer = await jetstream(connection).consumers.get(stream)
    const messages = []
    for await (const message of await consumer.fetch({ max_messages: state.messages, expires: 3000 })) {
      messages.push({ subject: message.subject, id: message.headers?.get('Nats-Msg-Id') ?? '', event: message.json<CloudEvent>() })
      if (messages.length === state.messages) break
    }
    return messages
  } finally {
    await connection.close()
  }
}
