/** A backtest in words: what changed, where, and some of it one by one. */
import type { BacktestDetail } from '@ephor/contract'
import { facts, line, plain, table } from '../output.ts'
import type { Io } from '../output.ts'

const SHOWN = 20

const SKIPPED: Record<string, string> = {
  door: 'were decided by an application’s policies',
  unasked: 'were refused before any policy was asked',
  older: 'were made before questions were kept',
  erased: 'can’t be read any more: their key was destroyed',
  corrupt: 'are not what was recorded: the store was changed',
  version: 'were made by texts that are gone from the store, or were changed there',
  world: 'were made in a world that is gone from the store, or was changed there',
}

/** What must not happen to a record, and what came out otherwise. */
export function differencesOf({ replayed, same, skipped }: BacktestDetail): number {
  return replayed - same + (skipped.corrupt ?? 0) + (skipped.version ?? 0) + (skipped.world ?? 0)
}

const transitionsText = (transitions: Record<string, number>) =>
  Object.entries(transitions)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')

const said = ({ effect, fault, reasons }: BacktestDetail['changed'][number]['from']) =>
  `${effect}${fault === undefined ? '' : ` ${fault}`}${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}`

function showChanges(io: Io, { agents, tools, changed, replayed, same }: BacktestDetail): void {
  const rows = [...Object.entries(agents), ...Object.entries(tools)].map(([name, transitions]) => ({ name, transitions }))
  table(
    io,
    rows,
    [
      ['of', ({ name }) => name],
      ['what changes', ({ transitions }) => transitionsText(transitions)],
    ],
    '',
  )
  for (const { decision, action, from, to } of changed.slice(0, SHOWN))
    line(io, `- ${decision} ${plain(action)}: ${plain(said(from))} → ${plain(said(to))}`)
  if (replayed - same > SHOWN) line(io, `  and ${replayed - same - SHOWN} more; --json has the first 200`)
}

export function showBacktest(io: Io, run: BacktestDetail): void {
  const { id, kind, version, state, fault, replayed, same, transitions, skipped, lost, done, entries } = run
  facts(io, [
    [kind === 'drift' ? 'drift check' : 'backtest', id],
    ['version', version],
    ['state', state === 'running' ? `running: ${done} of ${entries} entries` : state],
    ['fault', fault],
    ['decisions', `${replayed} made again, ${same} came out the same`],
    ['changes', transitionsText(transitions)],
  ])
  for (const [skip, count] of Object.entries(skipped)) line(io, `${count} ${SKIPPED[skip] ?? skip}.`)
  if (replayed > same) showChanges(io, run)
  for (const { decision, skip } of lost.slice(0, SHOWN)) line(io, `- ${decision}: ${skip}`)
}
