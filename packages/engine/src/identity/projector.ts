/** Rebuilds from the ledger alone what the rows of identity should be, and names what somebody changed beside it. */
import type { Json, JsonObject, Store } from '@ephor/engine/kernel'
import { compareRows, entryType } from '@ephor/engine/ledger'
import type { ProjectedRow, Projector } from '@ephor/engine/ledger'
import { readProjected } from './projected-store.ts'

const TABLES = {
  person: 'identity_person',
  credential: 'identity_credential',
  link: 'identity_link',
  session: 'identity_session',
} as const
type Kind = keyof typeof TABLES

type Expected = {
  rows: Record<Kind, Map<string, ProjectedRow>>
  /** Rows about which only older entries speak, by kind and id. */
  partial: Record<Kind, Map<string, string>>
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const isRow = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What entries said before they had rows in them: parts of a row. */
const OLDER: Record<string, (body: JsonObject, row: ProjectedRow) => ProjectedRow> = {
  'person.added': ({ groups, operator }) => ({ groups: groups ?? null, operator: operator === true ? 1 : 0 }),
  'person.changed': ({ groups }, row) => ({ ...row, groups: groups ?? null }),
  'credential.issued': ({ agent, onBehalfOf }) => ({
    agent: agent ?? null,
    kind: 'secret',
    state: 'active',
    public_x: null,
    thumbprint: null,
    on_behalf_of: onBehalfOf ?? null,
  }),
  'key.registered': ({ agent, onBehalfOf, thumbprint }) => ({
    agent: agent ?? null,
    kind: 'key',
    state: 'active',
    secret_hash: null,
    thumbprint: thumbprint ?? null,
    on_behalf_of: onBehalfOf ?? null,
  }),
  'credential.rotated': (_, row) => row,
  'credential.revoked': (_, row) => ({ ...row, state: 'revoked' }),
  'link.created': ({ person }) => ({ person: person ?? null, spent_at: null }),
  'session.opened': ({ person }) => ({ person: person ?? null, closed_at: null }),
  'session.closed': (_, { closed_at: __, ...row }) => row,
}

const KIND_OF: Record<string, Kind> = { person: 'person', credential: 'credential', key: 'credential', link: 'link', session: 'session' }

const BEFORE = 'it was written before entries had rows in them: only parts of it can be checked'
const ADOPTED = 'it was taken over from before entries had rows in them: nobody can say what it was until then'

function take({ rows, partial }: Expected, type: string, body: JsonObject): void {
  const [word = '', verb] = type.split('.')
  const kind = KIND_OF[word]
  const key = kind && text(body[kind])
  if (!kind || key === undefined || key === '') return
  const [older, link] = [OLDER[type], text(body['link'])]
  if (isRow(body['row'])) {
    const { id: _, ...row } = body['row']
    if (verb === 'adopted') partial[kind].set(key, ADOPTED)
    else if (row['version'] === 1) partial[kind].delete(key)
    rows[kind].set(key, row)
    const spent = type === 'session.opened' ? rows.link.get(link) : undefined
    if (spent) rows.link.set(link, { ...spent, spent_at: row['opened_at'] ?? null, version: 2 })
  } else if (older) {
    rows[kind].set(key, older(body, rows[kind].get(key) ?? {}))
    partial[kind].set(key, BEFORE)
    const { spent_at: _, ...spent } = (type === 'session.opened' && rows.link.get(link)) || {}
    if (type === 'session.opened' && rows.link.has(link)) rows.link.set(link, spent)
  }
}

export function identityProjector(store: Store): Projector {
  const make = <T>(value: () => T): Record<Kind, T> => ({ person: value(), credential: value(), link: value(), session: value() })
  const expected: Expected = { rows: make(() => new Map()), partial: make(() => new Map()) }
  return {
    take: (entry) => take(expected, entryType(entry), entry.body),
    async finish() {
      const actual = await readProjected(store)
      const kinds = Object.keys(TABLES) as Kind[]
      return {
        rows: kinds.reduce((sum, kind) => sum + actual[kind].size, 0),
        differences: kinds.flatMap((kind) => compareRows(TABLES[kind], expected.rows[kind], actual[kind])),
        uncovered: kinds.flatMap((kind) => [...expected.partial[kind]].map(([key, detail]) => ({ table: TABLES[kind], key, detail }))),
      }
    },
  }
}
