/** `ephor up`: runs the control plane until it is told to stop. */
import type { Command } from 'commander'
import { makeLog } from '@ephor/engine/kernel'
import { loadSettings, startServer } from '@ephor/server'
import type { RunningServer } from '@ephor/server'
import { describeDecision } from '../describe-decision.ts'
import { ExitCode } from '../exit-code.ts'
import type { Io } from '../output.ts'
import { readSettingFlags, withSettings } from '../setting-flags.ts'
import { terminalLog } from '../up/terminal-log.ts'
import { welcome } from '../up/welcome.ts'
import { examples } from '../verb.ts'

/** A terminal and supervisors signal every process of a group, and each passes it on: what arrives together is one signal. */
const SAME_SIGNAL_MS = 500

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function untilStopped(onStopping: () => void): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        if (first === undefined) {
          first = performance.now()
          onStopping()
          resolve()
        } else if (performance.now() - first > SAME_SIGNAL_MS) {
          // What was in flight is sealed as unknown by the next start.
          process.exit(128 + (signal === 'SIGINT' ? 2 : 15))
        }
      })
  })
}

/** A call is shown when it is decided, and a permitted one again when it failed: success is what people expect. */
function showDecisions(io: Io, { rooms }: RunningServer): void {
  rooms.broker.on(({ kind, decision }) => {
    if (kind === 'outcome' && decision.outcome === 'succeeded') return
    io.stdout.write(`${describeDecision(decision, true)}\n`)
  })
  rooms.approvals.on((approval) => {
    if (approval.state !== 'approved' && approval.state !== 'denied') return
    io.stdout.write(
      `${new Date().toTimeString().slice(0, 8)}  ${approval.state}   ${approval.server}/${approval.tool}  by ${[...new Set(approval.votes.map(({ by }) => by))].join(', ')}\n`,
    )
  })
}

export function addUp(program: Command, io: Io): void {
  const up = withSettings(program.command('up').description('run Ephor: the gateway for agents, the API and the console'))
  up.action(async (options: Record<string, unknown>) => {
    const loaded = loadSettings({ folder: io.folder, environment: io.environment, ...readSettingFlags(options) })
    const { settings } = loaded
    const person = io.stdout.isTTY === true
    const log = person ? terminalLog(settings.logLevel, io) : makeLog(settings.logLevel)
    const stopped = untilStopped(() => person && io.stdout.write('\nStopping: waiting for calls in flight. Ctrl-C again stops at once.\n'))
    const running = await startServer(loaded, log)
    if (person) {
      io.stdout.write(await welcome(running, settings))
      showDecisions(io, running)
    }
    await stopped
    const cutOff = await running.stop()
    log.info({ cutOff }, 'stopped')
    if (cutOff > 0) throw new ExitCode(1)
  })
  examples(up, 'up', 'up --port 8000 --home ~/ephor', 'up --no-demo | tee ephor.log')
}
