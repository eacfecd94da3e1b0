/** One decision in one line for people: what `ephor up` and `ephor decisions tail` show. */
import { plain } from './output.ts'

export type DecisionLine = {
  id: string
  effect: 'permit' | 'hold' | 'deny'
  server: string
  tool?: string | undefined
  method: string
  outcome?: string | undefined
  detail?: string | undefined
  approval?: string | undefined
  reasons: readonly { text: string }[]
}

const WORD = { permit: ['permitted', 32], hold: ['held     ', 33], deny: ['refused  ', 31] } as const

export function describeDecision(decision: DecisionLine, color: boolean, at: Date = new Date()): string {
  const { effect, server, tool, method, outcome, detail, approval, reasons } = decision
  const [word, code] = WORD[effect]
  const shown = color ? `\u001b[${code}m${word}\u001b[0m` : word
  const what = tool === undefined ? `${method} on ${server}` : `${server}/${tool}`
  const why = reasons[0]?.text ?? detail ?? ''
  const end = outcome === undefined ? '' : ` → ${outcome}`
  const next = effect === 'hold' && approval ? ` · ephor approvals approve ${approval}` : ''
  return `${at.toTimeString().slice(0, 8)}  ${shown}  ${plain(what)}${end}  ${plain(why)}${plain(next)}`.trimEnd()
}
