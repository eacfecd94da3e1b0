/** `ephor policy explain`: why a recorded call came out as it did, or how one would, with every condition and what it saw. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { PolicyExplanation } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { facts, json, line, plain } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { policySource } from './policy-source.ts'

type Options = CommonOptions & { who?: string; what?: string; on?: string; input?: string; facts?: string; source?: string }
type Explained = PolicyExplanation['policies'][number]

/** @throws Fault REQUEST_INVALID unless the text is a JSON object */
function objectOf(text: string | undefined, option: string): Record<string, unknown> {
  if (text === undefined) return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Fault('REQUEST_INVALID', `it can't be read as JSON: ${(error as Error).message}`, { where: option })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Fault('REQUEST_INVALID', 'write a JSON object, such as {"path":"/srv/a"}', { where: option })
}

const VERBS = { satisfied: 'holds', unsatisfied: 'does not hold', error: 'could not be evaluated' }
const MAX_VALUE = 200

const valueText = (value: unknown) => {
  const text = value === undefined ? 'absent' : JSON.stringify(value)
  return plain(text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text)
}

function showPolicy(io: Io, { policy, effect, file, line: at, reason, outcome, error, conditions }: Explained): void {
  line(io, `  ${plain(policy)} (${effect}, ${plain(file)}:${at}) ${VERBS[outcome]}: ${plain(error ?? reason)}`)
  for (const { kind, text, held, reads } of conditions) {
    const verdict = held === undefined ? 'not reached' : held ? 'yes' : 'no'
    line(io, `      ${verdict.padEnd(11)} ${kind} ${plain(text)}`)
    for (const { path, value } of reads) line(io, `                  ${plain(path)} = ${valueText(value)}`)
  }
}

function showArithmetic(io: Io, { risk, budgets }: PolicyExplanation): void {
  if (risk) {
    line(io, `Risk: ${risk.score} points, ${risk.tier}`)
    for (const { term, points, because } of risk.parts) line(io, `  ${String(points).padStart(4)}  ${plain(term)}: ${plain(because)}`)
  }
  if (budgets.length > 0) line(io, 'Budgets that cover it:')
  for (const { budget, per, period, unit, limit, used, left } of budgets) {
    const state = used === undefined ? '' : `, ${used} used, ${left} left`
    line(io, `  ${plain(budget)}: ${limit} ${plain(unit)} per ${plain(per)} and ${plain(period)}${state}`)
  }
}

/** Agents and tool servers chose some of these texts: every one is written out plainly. */
function showExplanation(io: Io, explained: PolicyExplanation): void {
  const { principal, action, server, effect, fault, detail, recorded, same, mode, version, policies, elsewhere } = explained
  const told = fault === undefined ? effect : `${effect} (${fault})`
  facts(io, [
    ['call', `${principal.type} ${principal.id} asks ${action} of ${server}`],
    ['policy says', told],
    ['detail', detail],
    ['recorded as', recorded && (recorded.fault === undefined ? recorded.effect : `${recorded.effect} (${recorded.fault})`)],
    ['comes again', same === undefined ? undefined : same ? 'yes, exactly as it was' : 'NO: policy said something else then'],
    ['because of', explained.reasons.map(({ policy }) => policy).join(', ')],
    ['asks', explained.asks.map(({ policy, quorum, group }) => `${policy}: ${quorum} of ${group ?? 'anybody'}`).join('; ')],
    ['obligations', explained.obligations.map(({ kind, policy }) => `${kind} (${policy})`).join(', ')],
    ['autonomy', mode],
    ['version', version],
  ])
  if (policies.length > 0) line(io, 'Policies that cover it:')
  for (const policy of policies) showPolicy(io, policy)
  if (policies.length === 0) line(io, fault === 'POLICY_NO_PERMIT' ? 'No policy covers it.' : 'Policies were not asked.')
  if (elsewhere.length > 0) line(io, `About other agents, tools or servers: ${plain(elsewhere.join(', '))}`)
  showArithmetic(io, explained)
}

export function addExplain(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('explain')
      .argument('[decision]', 'a recorded decision (dec_…); without it, say who asks for what')
      .description('say why a call was, or would be, permitted, held or refused')
      .option('--who <agent>', 'an agent by name or id, or server:NAME')
      .option('--what <action>', 'server/tool, or one such as resources/read')
      .option('--on <server>', 'the tool server, where the action does not say it')
      .option('--input <json>', 'the arguments')
      .option('--facts <json>', 'what is known besides: labels, amount, session, budgets, at …')
      .option('--source <source>', 'a folder or a version (sha256:…) instead of what is active'),
  )
  verb.action(
    served(io, async ({ client }, options: Options, decision?: string) => {
      const { who, what, on: server } = options
      if (decision === undefined && (who === undefined || what === undefined))
        throw new Fault('REQUEST_INVALID', 'name a decision, or say --who and --what')
      const asked = {
        who: who ?? '',
        what: what ?? '',
        input: objectOf(options.input, '--input') as Record<string, never>,
        facts: objectOf(options.facts, '--facts'),
        ...(server === undefined ? {} : { server }),
        ...(options.source === undefined ? {} : { source: policySource(io, options.source).source }),
      }
      const explained = await client.explainPolicy({ body: decision === undefined ? asked : { decision } })
      if (options.json) json(io, explained)
      else showExplanation(io, explained)
    }),
  )
  examples(verb, 'policy explain dec_…', `policy explain --who assistant --what files/move_file --input '{"source":"/srv/a"}'`)
}
