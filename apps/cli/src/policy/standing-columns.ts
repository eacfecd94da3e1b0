/** How `who-can` and `what-can` show what calls come to, before their arguments are known. */
import type { PolicyStandings } from '@ephor/contract'
import type { Column } from '../output.ts'

type Standing = PolicyStandings['items'][number]

/** `depends` says on what, and what it can come to. */
const why = ({ effect, possible, because, dependsOn }: Standing) =>
  effect === 'depends' ? `${possible.join(' or ')}, by ${dependsOn.join(', ') || 'its circumstances'}` : because.join(', ')

export const standingColumns: Record<'agent' | 'action' | 'server' | 'calls' | 'why', Column<Standing>> = {
  agent: ['agent', ({ name, id }) => (name === id ? id : `${name} (${id})`)],
  action: ['action', ({ action }) => action],
  server: ['server', ({ server }) => server],
  calls: ['calls', ({ effect }) => effect],
  why: ['why', why],
}
