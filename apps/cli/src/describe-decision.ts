/** One decision in one line for people: what `ephor up` and `ephor decisions tail` show. */
import { plain } from './output.ts'

export type DecisionLine = {
  id: string
  effect: 'permit' | 'hold' | 'deny'
  fault?: string | undefined
  server: string
  tool?: string | undefined
  method: string
  outcome?: string | undefined
  detail?: string | undefined
  approval?: string | undefined
  reasons: readonly { text: string }[]
}

const WORD = { permit: ['permitted', 32], hold: ['held     ', 33], deny: ['refused  ', 31] } as const

/** The reasons are the policies'. What else refuses, such as a budget that is used up, says so in the detail. */
export function whyOf({ fault, detail, reasons }: Pick<DecisionLine, 'fault' | 'detail' | 'reasons'>): string {
  const byPolicy = reasons[0]?.text
  return fault === undefined || fault === 'POLICY_DENIED' ? (byPolicy ?? detail ?? '') : (detail ?? byPolicy ?? '')
}

export function describeDecision(decision: DecisionLine, color: boolean, at: Date = new Date()): string {
  const { effect, server, tool, method, outcome, approval } = decision
  const [word, code] = WORD[effect]
  const shown = color ? `\u001b[${code}m${word}\u001b[0m` : word
  const what = tool === undefined ? `${method} on ${server}` : `${server}/${tool}`
  const why = whyOf(decision)
  const end = outcome === undefined ? '' : ` → ${outcome}`
  const next = effect === 'hold' && approval ? ` · ephor approvals approve ${approval}` : ''
  return `${at.toTimeString().slice(0, 8)}  ${shown}  ${plain(what)}${end}  ${plain(why)}${plain(next)}`.trimEnd()
}
