/** Which agents were permitted which tools before: asked of the record once, then remembered within bounds. */
import type { Decisions } from './store.ts'

/** Pairs that are remembered; beyond them, the record is asked again. */
const MAX_PAIRS = 50_000

export interface Novelty {
  /** True when this agent was never permitted this tool. */
  isNovel(agent: string, server: string, tool: string): Promise<boolean>
  /** Whether a permit of this pair has still to be written down. */
  isUnwritten(agent: string, server: string, tool: string): boolean
  /** A permit was sealed. */
  permitted(agent: string, server: string, tool: string): void
}

export function makeNovelty(decisions: Pick<Decisions, 'everPermitted'>): Novelty {
  const known = new Set<string>()
  // Neither ids of agents nor names of servers hold a slash.
  const keyOf = (agent: string, server: string, tool: string) => `${agent}/${server}/${tool}`
  function permitted(agent: string, server: string, tool: string): void {
    if (known.size >= MAX_PAIRS) known.clear()
    known.add(keyOf(agent, server, tool))
  }
  return {
    permitted,
    isUnwritten: (agent, server, tool) => !known.has(keyOf(agent, server, tool)),
    async isNovel(agent, server, tool) {
      if (known.has(keyOf(agent, server, tool))) return false
      const isKnown = await decisions.everPermitted(agent, server, tool)
      if (isKnown) permitted(agent, server, tool)
      return !isKnown
    },
  }
}
