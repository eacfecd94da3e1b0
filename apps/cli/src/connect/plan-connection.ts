/** Says what connecting a client would change, without changing anything and without holding a secret. */
import { isDeepStrictEqual } from 'node:util'
import { extractSecrets } from '@ephor/engine/registry'
import type { ServerDraft } from '@ephor/engine/registry'
import { parseConfiguration, sectionOf, sectionsOf } from './configuration.ts'
import type { Values } from './configuration.ts'
import { ENTRY, entryFor } from './entry-for.ts'
import { readWhole } from './files.ts'
import type { Machine } from './find-configurations.ts'
import { readServer } from './read-server.ts'
import type { FoundServer, Location, MissingSecret, Plan, Section, Target } from './types.ts'

/** A server as it is in the file, secrets and all: never leaves this library. */
export type Candidate = {
  name: string
  section: Section
  as: string
  /** For the name that the server gets in the end: what it refers to is named after it. */
  draft(as: string): { draft: ServerDraft; missing: MissingSecret[] }
}

export type Survey = { candidates: Candidate[]; servers: FoundServer[]; sections: [Section, ...Section[]] }

/** The nearest name that Ephor allows, different from those taken in the same file. */
function nameFor(name: string, taken: ReadonlySet<string>): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 36)
  const base = plain === '' || plain === ENTRY ? 'server' : plain
  for (let i = 1; ; i++) {
    const candidate = i === 1 ? base : `${base}-${i}`
    if (!taken.has(candidate)) return candidate
  }
}

/** Everything the file says of servers. */
export function survey(values: Values, place: Location, machine: Machine): Survey {
  const sections = sectionsOf(values, place.client) as [Section, ...Section[]]
  const [candidates, servers]: [Candidate[], FoundServer[]] = [[], []]
  const taken = new Set<string>()
  for (const section of sections) {
    const folder = section[0] === 'projects' ? section[1] : place.folder
    const within = folder === undefined ? place : { ...place, folder }
    for (const [name, entry] of Object.entries(sectionOf(values, section) ?? {})) {
      if (name === ENTRY) continue
      const as = nameFor(name, taken)
      const read = readServer(as, entry, within, machine)
      if ('leave' in read) {
        servers.push({ name, section, action: 'leave', because: read.leave })
        continue
      }
      taken.add(as)
      const { transport, secrets } = extractSecrets(as, read.transport)
      servers.push({ name, section, action: 'import', as, transport, secrets: secrets.map((secret) => secret.name), missing: read.missing })
      candidates.push({
        name,
        section,
        as,
        draft(other) {
          const again = readServer(other, entry, within, machine)
          const { transport: own, missing } = 'leave' in again ? read : again
          return { draft: { name: other, transport: own, folders: [] }, missing }
        },
      })
    }
  }
  return { candidates, servers, sections }
}

/** What Ephor will run or ask to see the tools: the person decides about exactly this. */
function startOf(transport: ServerDraft['transport']): string {
  const text = transport.type === 'http' ? `asking ${transport.url}` : `running ${[transport.command, ...transport.args].join(' ')}`
  return text.length > 160 ? `${text.slice(0, 160)}…` : text
}

function describe(servers: readonly FoundServer[], speaks: 'http' | 'stdio', entryChanges: boolean): string[] {
  const changes = servers.flatMap((server) => {
    if (server.action === 'leave') return []
    const secrets =
      server.secrets.length === 0
        ? ''
        : `; ${server.secrets.length === 1 ? 'a secret moves' : `${server.secrets.length} secrets move`} to the vault`
    return [
      `${server.name} moves to Ephor as ${server.as}, which looks at it by ${startOf(server.transport)}; not callable until you accept it${secrets}`,
    ]
  })
  if (entryChanges)
    changes.push(`the client reaches its tools through one entry, ${ENTRY}, ${speaks === 'http' ? 'over HTTP' : 'by a command'}`)
  return changes
}

/** @throws Fault NOT_FOUND or REQUEST_INVALID when the file can't be read */
export function planConnection(place: Location, target: Target, machine: Machine): Plan {
  const { bytes, digest } = readWhole(place.file)
  const values = parseConfiguration(bytes.toString(), place.file)
  const { servers, sections } = survey(values, place, machine)
  const [section] = sections
  const { speaks, value } = entryFor(place.client, target, place.scope === 'project')
  // The parser's objects have no prototype, which a strict comparison sees.
  const entryChanges = !isDeepStrictEqual(structuredClone(sectionOf(values, section)?.[ENTRY]), value)
  return {
    client: place.client,
    file: place.file,
    digest,
    servers,
    entry: { section, speaks },
    changes: describe(servers, speaks, entryChanges),
  }
}
