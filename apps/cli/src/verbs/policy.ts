/** `ephor policy`: what is active, whether a folder is right, and whether it decides as its tests say. */
import { join } from 'node:path'
import type { Command } from 'commander'
import type { PolicyFinding } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { facts, json, line, plain, table } from '../output.ts'
import type { Io } from '../output.ts'
import { addAnalyze } from '../policy/analyze.ts'
import { addBacktest } from '../policy/backtest.ts'
import { addDiff } from '../policy/diff.ts'
import { addEval } from '../policy/eval.ts'
import { addExplain } from '../policy/explain.ts'
import { addHealth } from '../policy/health.ts'
import { addFmt } from '../policy/fmt.ts'
import { addInit } from '../policy/init.ts'
import { placeOf, policyFolder } from '../policy/policy-source.ts'
import { addProposals } from '../policy/proposals.ts'
import { addPropose } from '../policy/propose.ts'
import { addPublish } from '../policy/publish.ts'
import { addReview } from '../policy/review.ts'
import { addRollback } from '../policy/rollback.ts'
import { addRollout } from '../policy/rollout.ts'
import { sarifOf } from '../policy/sarif.ts'
import { addTest } from '../policy/test.ts'
import { addVersions } from '../policy/versions.ts'
import { addWhatCan } from '../policy/what-can.ts'
import { addWhoCan } from '../policy/who-can.ts'
import { examples, served, withServer } from '../verb.ts'

function showFindings(io: Io, folder: string, findings: readonly PolicyFinding[]): void {
  for (const { severity, code, file, line: at, column, message, suggestion } of findings) {
    line(io, `${join(folder, file)}:${at}:${column}: ${severity} ${code}: ${plain(message)}${suggestion ? ` ${plain(suggestion)}` : ''}`)
  }
}

export function addPolicy(program: Command, io: Io): void {
  const policy = program.command('policy').description('the Cedar policies that decide')

  const show = withServer(policy.command('show').description('show what is active'))
  show.option('--schema', 'the Cedar schema that policies are checked against').option('--text', 'the texts')
  show.action(
    served(io, async ({ client }, options: CommonOptions & { schema?: boolean; text?: boolean }) => {
      if (options.schema) {
        const schema = await client.showPolicySchema()
        return options.json ? json(io, schema) : line(io, schema.text)
      }
      const active = await client.showPolicy()
      if (options.json) return json(io, active)
      if (options.text) return line(io, active.files.map(({ name, text }) => `// ${name}\n${text}`).join('\n'))
      facts(io, [
        ['version', active.version ?? 'none: everything is refused'],
        ['since', active.activatedAt],
        ['charter of', active.governor],
        ['tried', active.staged && `${active.staged.version} (${active.staged.mode}): ephor policy rollout`],
      ])
      table(
        io,
        active.policies,
        [
          ['policy', ({ id }) => id],
          ['effect', ({ effect }) => effect],
          ['where', ({ file, line: at }) => `${file}:${at}`],
          ['reason', ({ reason }) => reason],
        ],
        'No policy is active.',
      )
      if (active.findings.length > 0) line(io, 'To look at:')
      showFindings(io, '', active.findings)
      if (active.unfit) {
        line(io, `Since the tools changed, these policies do not fit them any more: ${active.unfit.policies.join(', ')}`)
        for (const change of active.unfit.changed) line(io, `  ${plain(change)}`)
      }
      if (active.pending) line(io, `The folder as it is now waits for a review: ephor policy proposals --state open`)
      if (active.refused) {
        line(io, 'The folder as it is now did not become active:')
        showFindings(io, '', active.refused.findings)
      }
    }),
  )

  const check = withServer(
    policy
      .command('check')
      .argument('[folder]', 'the policy folder unless said')
      .description('check policy texts against the tools as they are; changes nothing')
      .option('--sarif', 'print SARIF 2.1.0 for code scanners'),
  )
  check.action(
    served(io, async ({ client, settings }, options: CommonOptions & { sarif?: boolean }, given?: string) => {
      const { files, folder } = policyFolder(io, given ?? settings.policyFolder)
      const { ok, findings } = await client.checkPolicy({ body: { files } })
      if (options.sarif) json(io, sarifOf(findings, placeOf(io, folder)))
      else if (options.json) json(io, { ok, findings })
      else {
        showFindings(io, folder, findings)
        line(io, ok ? `${Object.keys(files).length} files are right.` : 'As it is, the folder would not become active.')
      }
      if (!ok) throw new ExitCode(EXIT.failed)
    }),
  )
  examples(check, 'policy check', 'policy check ./policies --json')

  addInit(policy, io)
  addFmt(policy, io)
  addTest(policy, io)
  addExplain(policy, io)
  addWhoCan(policy, io)
  addWhatCan(policy, io)
  addAnalyze(policy, io)
  addDiff(policy, io)
  addBacktest(policy, io)
  addHealth(policy, io)
  addEval(policy, io)
  addPropose(policy, io)
  addProposals(policy, io)
  addReview(policy, io)
  addPublish(policy, io)
  addRollout(policy, io)
  addRollback(policy, io)
  addVersions(policy, io)
}
