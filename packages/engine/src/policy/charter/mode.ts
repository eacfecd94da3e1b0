/** How far an agent may go alone with an action: the strictest rule of the charter that fits. */
import type { Autonomy } from '../types.ts'
import type { Charter } from './charter.ts'

/** Whose call of what. */
export type Actor = {
  /** `agt_…` */
  agent: string
  groups: readonly string[]
  /** The action and all its groups. */
  actions: ReadonlySet<string>
}

const STRICTEST: readonly Autonomy[] = ['observe', 'confirm-each', 'confirm-risky', 'autonomous']

/** True when a list of `agt_…` and `group:…` names the agent; an absent list names all. */
export function namesAgent(named: readonly string[] | undefined, { agent, groups }: Pick<Actor, 'agent' | 'groups'>): boolean {
  return named === undefined || named.some((one) => one === agent || (one.startsWith('group:') && groups.includes(one.slice(6))))
}

/** Of the rules that fit, the strictest; the default where none does. */
export function modeOf({ autonomy }: Charter, actor: Actor): Autonomy {
  const modes = autonomy.rules
    .filter(({ agents, actions }) => namesAgent(agents, actor) && (actions === undefined || actions.some((one) => actor.actions.has(one))))
    .map(({ mode }) => mode)
  return STRICTEST.find((mode) => modes.includes(mode)) ?? autonomy.default
}
