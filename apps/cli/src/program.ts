/** The command line: every verb, in the order of the help. */
import { VERSION } from '@ephor/server'
import { Command } from 'commander'
import { EXIT_HELP } from './exit-codes.ts'
import type { Io } from './output.ts'
import { addAgents } from './verbs/agents.ts'
import { addApprovals } from './verbs/approvals.ts'
import { addBackup } from './verbs/backup.ts'
import { addBudgets } from './verbs/budgets.ts'
import { addConfig } from './verbs/config.ts'
import { addConnect } from './verbs/connect.ts'
import { addDecisions } from './verbs/decisions.ts'
import { addDoctor } from './verbs/doctor.ts'
import { addLedger } from './verbs/ledger.ts'
import { addLogin } from './verbs/login.ts'
import { addMcp } from './verbs/mcp.ts'
import { addMigrate } from './verbs/migrate.ts'
import { addPolicy } from './verbs/policy.ts'
import { addServers } from './verbs/servers.ts'
import { addStore } from './verbs/store.ts'
import { addTools } from './verbs/tools.ts'
import { addUp } from './verbs/up.ts'
import { addVault } from './verbs/vault.ts'
import { addWitness } from './verbs/witness.ts'

export function makeProgram(io: Io): Command {
  const program = new Command('ephor')
    .description('Decides, holds and records what AI agents do: every tool call, before it runs.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .showHelpAfterError('(ephor --help, or ephor <verb> --help, shows how)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: (text) => void io.stderr.write(text) })
    .addHelpText('after', `\n${EXIT_HELP}`)
  for (const add of [
    addUp,
    addDoctor,
    addConfig,
    addConnect,
    addLogin,
    addMcp,
    addServers,
    addTools,
    addVault,
    addAgents,
    addDecisions,
    addApprovals,
    addPolicy,
    addBudgets,
    addStore,
    addLedger,
    addBackup,
    addMigrate,
    addWitness,
  ])
    add(program, io)
  for (const command of allOf(program)) command.exitOverride().copyInheritedSettings(program)
  return program
}

function allOf(command: Command): Command[] {
  return command.commands.flatMap((inner) => [inner, ...allOf(inner)])
}
