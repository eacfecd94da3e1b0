/** `ephor policy analyze`: what is wrong with policies as they stand together, each with a request that shows it. */
import { join } from 'node:path'
import type { Command } from 'commander'
import type { AnalysisFinding, PolicyWitness } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { placeOf, policySource } from './policy-source.ts'
import { sarifOf } from './sarif.ts'

/** The request in one line, with what of it a policy would look at first. */
function witnessText({ principal, action, resource, context }: PolicyWitness): string {
  const { input = {} } = context as { input?: unknown }
  return `${principal.type}::"${principal.id}" asks ${action.id} of ${resource.type}::"${resource.id}" with ${JSON.stringify(input)}`
}

function show(io: Io, folder: string, finding: AnalysisFinding): void {
  const { file, line: at, column, severity, code, policy, message, suggestion, witness } = finding
  const about = policy === undefined ? '' : ` (${policy})`
  line(io, `${join(folder, file)}:${at}:${column}: ${severity} ${code}: ${plain(message)}${plain(about)}`)
  if (suggestion !== undefined) line(io, `    ${plain(suggestion)}`)
  if (witness) line(io, `    for example: ${plain(witnessText(witness))}`)
}

type Options = CommonOptions & { sarif?: boolean }

export function addAnalyze(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('analyze')
      .argument('[source]', 'a folder, a version (sha256:…) or active; the policy folder unless said')
      .description('find policies that never apply, stand in each other’s way, or can’t be approved; changes nothing')
      .option('--sarif', 'print SARIF 2.1.0 for code scanners'),
  )
  verb.action(
    served(io, async ({ client, settings }, options: Options, given?: string) => {
      const { source, folder } = policySource(io, given ?? settings.policyFolder)
      const analysis = await client.analyzePolicy({ body: { source } })
      const { findings, undecided, work } = analysis
      if (options.sarif) json(io, sarifOf(findings, placeOf(io, folder)))
      else if (options.json) json(io, analysis)
      else {
        for (const finding of findings) show(io, folder, finding)
        for (const { policy: about, question, actions } of undecided)
          line(io, `unknown: ${plain(about === '*' ? '' : `${about}: `)}${plain(question)} (${actions.length} actions)`)
        const open = undecided.length === 0 ? '' : `, ${undecided.length} questions open`
        line(io, `${findings.length} findings${open}; ${work.questions} questions to the solver in ${(work.ms / 1000).toFixed(1)} s.`)
      }
      if (findings.some(({ severity }) => severity === 'error')) throw new ExitCode(EXIT.failed)
    }),
  )
  examples(verb, 'policy analyze', 'policy analyze ./policies --sarif > policies.sarif')
}
