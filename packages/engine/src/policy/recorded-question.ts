/** How a question is kept with its decision, and read again: only what the ledger entry and its payloads don't say already. */
import type { Json, JsonObject } from '@ephor/engine/kernel'
import type { Decision, PolicyFacts, PolicyRequest } from './types.ts'
import { digestOfVerdict } from './verdict-of.ts'

/** What stands in the entry's body or in its payload `input`, and so not in `facts`. */
const ELSEWHERE = new Set(['door', 'onBehalfOf', 'uri', 'name'])

/** The payload `facts` of a decision: what policy was told, and by its digest what policy said. */
export function sealedFacts({ facts }: PolicyRequest, answer: Decision): JsonObject {
  const kept: JsonObject = { answer: digestOfVerdict(answer) }
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined || ELSEWHERE.has(name) || (Array.isArray(value) && value.length === 0)) continue
    kept[name] = value as Json
  }
  if (facts.session) kept.session = { calls: facts.session.calls, startedAt: facts.session.startedAt }
  return kept
}

type Body = {
  principal: { type: string; id: string }
  door: string
  session: string
  method: string
  server?: string
  tool?: { server: string; name: string }
  onBehalfOf?: string
}

/** The Cedar action of a recorded call. */
function actionOf({ tool, method }: Body): string {
  if (tool) return `${tool.server}/${tool.name}`
  return method === 'resources/subscribe' ? 'resources/read' : method
}

function namedIn({ method, principal }: Body, name: string): Pick<PolicyFacts, 'uri' | 'name'> {
  if (method === 'tools/call' || principal.type === 'tool-server') return {}
  return method.startsWith('resources/') ? { uri: name } : { name }
}

/**
 * The question that a decision answered, from its entry's body and its payloads `input` and `facts`.
 * @returns undefined for a decision that was made before any policy was asked, or whose payloads can't be read any more
 */
export function readQuestion(body: JsonObject, input: Json | undefined, facts: Json | undefined): PolicyRequest | undefined {
  if (input === undefined || facts === undefined || body.world === undefined) return undefined
  // Both were written by `seal`, and the ledger has checked them against their commitments.
  const recorded = body as unknown as Body
  const asked = input as unknown as { server: string; name: string; input: JsonObject }
  const { answer: _, ...kept } = facts as unknown as Partial<PolicyFacts> & { now: number; answer?: string }
  const { principal, door, onBehalfOf, session } = recorded
  return {
    principal: { type: principal.type === 'tool-server' ? 'ToolServer' : 'Agent', id: principal.id },
    action: actionOf(recorded),
    server: recorded.server ?? asked.server,
    input: asked.input,
    facts: {
      approvals: [],
      ...kept,
      ...(kept.session ? { session: { ...kept.session, id: session } } : {}),
      ...namedIn(recorded, asked.name),
      ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
      door,
    },
  }
}

/** The digest of what policy said then, as `digestOfVerdict` makes it; undefined in records that are older than it. */
export function readAnswer(facts: Json | undefined): string | undefined {
  const { answer } = (facts ?? {}) as { answer?: string }
  return answer
}
