/** Runs the command line once: what goes wrong becomes one clear sentence and an exit code. */
import { Fault, FAULTS } from '@ephor/contract'
import { CommanderError } from 'commander'
import { ExitCode } from './exit-code.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { plain } from './output.ts'
import type { Io } from './output.ts'
import { makeProgram } from './program.ts'

/** What went wrong and what to do, in a line. */
export function sayFault(fault: Fault): string {
  const { title, advice } = FAULTS[fault.code]
  const where = fault.where === undefined ? '' : ` (${plain(fault.where)})`
  return `ephor: ${title}: ${plain(fault.message)}${where.includes(fault.message) ? '' : where}. ${advice}\n`
}

/** @returns the exit code */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    await makeProgram(io).parseAsync([...argv])
    return EXIT.ok
  } catch (error) {
    // Help and version are no mistakes; commander has printed what there is to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    if (error instanceof ExitCode) return error.code
    if (error instanceof Fault) {
      io.stderr.write(sayFault(error))
      return exitCodeOf(error)
    }
    io.stderr.write(`ephor: something unexpected: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT.failed
  }
}

export async function main(argv: readonly string[]): Promise<void> {
  // A reader such as `head` that has seen enough is no mistake.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed))
  const { stdout, stderr, env } = process
  process.exitCode = await run(argv, { stdout, stderr, environment: env, folder: process.cwd() })
}
