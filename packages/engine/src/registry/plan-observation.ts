/** What a server's tool list means against what is known of it: the changes to write and the entries that record them. */
import type { Part } from '@ephor/engine/ledger'
import type { Pinned } from './check-definitions.ts'
import { digestOfJson } from './check-definitions.ts'
import { proposeClassification } from './propose-classification.ts'
import { changeToolRow, loseToolRow, proposeToolRow, restoreToolRow } from './store.ts'
import type { Tool } from './types.ts'

function observeOne(server: string, pinned: Pinned, tool: Tool | undefined, part: Part): void {
  const { name: toolName, digest } = pinned
  const body = { server, tool: toolName, digest }
  if (!tool || tool.state === 'proposed') {
    if (tool?.digest === digest) return
    const as = proposeClassification(pinned.definition)
    part.changes.push(proposeToolRow(server, pinned, as))
    part.entries.push({ type: 'tool.proposed', body: { ...body, ...as } })
  } else if (tool.digest === digest) {
    // Whatever it was meanwhile, it is again what an operator accepted.
    if (tool.state === 'accepted' || (tool.state === 'changed' && !tool.seen)) return
    part.changes.push(restoreToolRow(server, toolName))
    part.entries.push({ type: 'tool.restored', body })
  } else if (!tool.seen || digestOfJson(tool.seen) !== digest) {
    part.changes.push(changeToolRow(server, pinned))
    part.entries.push({ type: 'tool.changed', body: { ...body, accepted: tool.digest } })
  }
}

/** Empty when nothing is new. */
export function planObservation(server: string, tools: ReadonlyMap<string, Tool>, seen: ReadonlyMap<string, Pinned>): Part {
  const part: Part = { changes: [], entries: [] }
  for (const pinned of seen.values()) observeOne(server, pinned, tools.get(pinned.name), part)
  for (const tool of tools.values()) {
    if (seen.has(tool.name) || tool.state === 'gone') continue
    part.changes.push(loseToolRow(server, tool.name, tool.state !== 'proposed'))
    part.entries.push({ type: 'tool.gone', body: { server, tool: tool.name } })
  }
  return part
}
