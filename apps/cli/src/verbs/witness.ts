/** `ephor witness`: runs a witness, which cosigns the checkpoints of logs that others run. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import { makeLog } from '@ephor/engine/kernel'
import { startWitness } from '@ephor/server'
import { json, line } from '../output.ts'
import type { Io } from '../output.ts'
import { examples } from '../verb.ts'

type WitnessFlags = { name: string; home: string; listen: string; log: string[]; logs?: string; json?: boolean }

function parseListen(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^\[?([0-9a-f:]+(?=\])|[\w.-]+)\]?:(\d{1,5})$/i.exec(text) ?? []
  if (host === '' || Number(port) > 65_535) throw new Fault('SETTINGS_INVALID', `"${text}" is not an address such as 127.0.0.1:7380`)
  return { host, port: Number(port) }
}

function untilStopped(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done())
  })
}

const collect = (value: string, all: string[]) => [...all, value]

export function addWitness(program: Command, io: Io): void {
  const witness = program
    .command('witness')
    .description('run a witness: it cosigns the checkpoints of logs of others, if each continues the last (c2sp.org/tlog-witness)')
  witness
    .requiredOption('--name <name>', 'under which it cosigns, such as witness.example/w1; it never changes')
    .option('--home <folder>', 'its key and what it remembers', 'ephor-witness')
    .option('--listen <address>', 'where it listens', '127.0.0.1:7380')
    .option('--log <key>', 'the verifier key of a log to watch (ephor ledger head shows it); several times for several', collect, [])
    .option('--logs <file>', 'a YAML file with logs: a list of {origin, keys}')
    .option('--json', 'print what it is as one line of JSON')
  witness.action(async (flags: WitnessFlags) => {
    const stopped = untilStopped()
    const { host, port } = parseListen(flags.listen)
    const logs = flags.logs === undefined ? {} : { logs: resolve(io.folder, flags.logs) }
    const options = { home: resolve(io.folder, flags.home), name: flags.name, host, port, keys: flags.log, ...logs }
    const running = await startWitness(options, makeLog('info', io.stderr))
    const { url, verifierKey, origins } = running
    if (flags.json) json(io, { url, verifierKey, origins })
    else {
      line(io, `Witness at ${url}, for ${origins.join(', ')}.`)
      line(io, `Verifier key: ${verifierKey}`)
      line(io, `Tell the log: ledger.witnesses: ["${verifierKey} ${url}"]`)
    }
    await stopped
    await running.stop()
  })
  examples(
    witness,
    'witness --name witness.example/w1 --log "$(cat ledger.vkey)"',
    'witness --name w1 --logs logs.yaml --listen 0.0.0.0:7380',
  )
}
