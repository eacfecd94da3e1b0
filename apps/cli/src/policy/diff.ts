/** `ephor policy diff`: which requests two versions decide differently, with an example of each. */
import type { Command } from 'commander'
import type { CommonOptions } from '../connection.ts'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { policySource } from './policy-source.ts'

export function addDiff(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('diff')
      .argument('<from>', 'a folder, a version (sha256:…) or active')
      .argument('<to>', 'the same')
      .description('say which requests two versions decide differently, and prove that others are decided alike'),
  )
  verb.action(
    served(io, async ({ client }, options: CommonOptions, from: string, to: string) => {
      const body = { from: policySource(io, from).source, to: policySource(io, to).source }
      const { broken, ...diff } = await client.diffPolicy({ body })
      if (options.json) json(io, { ...diff, ...(broken === undefined ? {} : { broken }) })
      else if (broken) {
        for (const { file, line: at, column, code, message } of broken.findings)
          line(io, `${plain(file)}:${at}:${column}: ${code}: ${plain(message)}`)
        line(io, `Nothing was compared: ${broken.version === 'from' ? plain(from) : plain(to)} has errors.`)
      } else {
        for (const { text } of diff.differences) line(io, `- ${plain(text)}`)
        for (const { question, actions } of diff.undecided) line(io, `- unknown: ${plain(question)}: ${plain(actions.join(', '))}`)
        const same = diff.same.flatMap(({ actions }) => actions).length
        line(io, `${diff.differences.length} differences; ${same} actions are decided alike, which is proven.`)
        if (diff.charter) line(io, 'The charters differ too; what a charter takes away beside the policies is not compared.')
      }
      if (broken) throw new ExitCode(EXIT.failed)
    }),
  )
  examples(verb, 'policy diff active ./policies', 'policy diff ./policies-before ./policies')
}
