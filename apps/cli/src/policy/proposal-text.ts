/** A proposal as people read it: what it changes, what Ephor found, who reviewed it, and what it waits for. */
import type { z } from 'zod'
import type { ProposalDetail, ProposalView, TestReport } from '@ephor/contract'
import { ago, facts, line, plain } from '../output.ts'
import type { Io } from '../output.ts'

/** Digests are long; their beginning tells them apart. */
export const short = (version: string | undefined): string => (version === undefined ? '-' : version.slice(0, 'sha256:'.length + 12))

export function stateText({ state, percent }: z.output<typeof ProposalView>): string {
  return percent === undefined ? state : `${state} ${percent}%`
}

/** A file that could not be read counts as a failure and has no cases. */
function testsText({ cases, failed }: z.output<typeof TestReport>): string {
  if (cases === 0) return failed.length === 0 ? 'none' : 'none could be run'
  return `${Math.max(0, cases - failed.length)} of ${cases} as expected`
}

const MAX_FAILED = 10

export function showProposal(io: Io, proposal: z.output<typeof ProposalDetail>): void {
  const now = Date.now()
  const { findings, tests, reviews, waitsFor, files, state } = proposal
  facts(io, [
    ['proposal', proposal.id],
    ['state', stateText(proposal)],
    ['by', proposal.author],
    ['opened', ago(proposal.openedAt, now)],
    ['changes', proposal.changes],
    ['version', proposal.version],
    ['instead of', proposal.base],
    ['why', proposal.why],
    ['impact', proposal.impact],
    ['files', files.map(({ name, change }) => `${name} (${change})`)],
    ['errors', findings.filter(({ severity }) => severity === 'error').length],
    ['warnings', findings.filter(({ severity }) => severity === 'warning').length],
    ['tests', testsText(tests)],
  ])
  for (const { file, name, detail } of tests.failed.slice(0, MAX_FAILED))
    line(io, `failed: ${plain(file)}: ${plain(name)}: ${plain(detail)}`)
  if (tests.failed.length > MAX_FAILED) line(io, `and ${tests.failed.length - MAX_FAILED} more`)
  const { ownBacktest: own } = proposal
  if (own) line(io, `backtest of ${own.replayed} decisions: ${own.same} come out the same; ephor policy backtests ${own.id}`)
  for (const { person, verdict, at, note } of reviews)
    line(
      io,
      `${plain(person)} ${verdict === 'approve' ? 'approved' : 'rejected'} it ${ago(at, now)}${note === undefined ? '' : `: ${plain(note)}`}`,
    )
  if (state === 'open' || state === 'approved' || state === 'shadow' || state === 'canary') {
    for (const { code, detail } of waitsFor) line(io, `waits: ${code}: ${plain(detail)}`)
    if (waitsFor.length === 0) line(io, `It can become active: ephor policy publish ${proposal.id}`)
  }
}
