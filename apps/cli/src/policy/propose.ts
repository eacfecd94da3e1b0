/** `ephor policy propose`: hands a folder in for review; it decides nothing before it is published. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { json } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { policyFolder } from './policy-source.ts'
import { showProposal } from './proposal-text.ts'

type Options = CommonOptions & { why: string; impact?: string; analysis?: string; backtest?: string }

function attached(io: Io, file: string | undefined): unknown {
  if (file === undefined) return undefined
  try {
    return JSON.parse(readFileSync(resolve(io.folder, file), 'utf8'))
  } catch (error) {
    throw new Fault('REQUEST_INVALID', `it can't be read as JSON: ${(error as Error).message}`, { where: file })
  }
}

export function addPropose(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('propose')
      .argument('[folder]', 'the policy folder unless said')
      .description('hand policies in for review; they are checked and tested, and decide nothing yet')
      .requiredOption('--why <text>', 'why, for those who review it')
      .option('--impact <text>', 'what you expect of it')
      .option('--analysis <file>', 'attach what ephor policy analyze --json or diff --json printed')
      .option('--backtest <file>', 'attach what ephor policy backtest --json printed'),
  )
  verb.action(
    served(io, async ({ client, settings }, options: Options, given?: string) => {
      const { files } = policyFolder(io, given ?? settings.policyFolder)
      const [analysis, backtest] = [attached(io, options.analysis), attached(io, options.backtest)]
      const proposal = await client.proposePolicy({
        body: {
          files,
          why: options.why,
          ...(options.impact === undefined ? {} : { impact: options.impact }),
          ...(analysis === undefined ? {} : { analysis: analysis as null }),
          ...(backtest === undefined ? {} : { backtest: backtest as null }),
        },
        idempotencyKey: crypto.randomUUID(),
      })
      if (options.json) json(io, proposal)
      else showProposal(io, proposal)
    }),
  )
  examples(
    verb,
    'policy propose --why "Payments above 500 EUR wait for finance"',
    'policy propose ./policies --why "…" --analysis diff.json',
  )
}
