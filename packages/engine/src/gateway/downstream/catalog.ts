/** What an agent sees: the merged lists of the servers that it may see, and which server a resource belongs to. */
import type { AgentPrincipal } from '@ephor/contract'
import type { Broker } from '@ephor/engine/broker'
import type { JsonObject, Logger } from '@ephor/engine/kernel'
import type { Registry } from '@ephor/engine/registry'
import { UriTemplate } from '@modelcontextprotocol/server'
import { JsonObjectSchema, objectAt } from './caller.ts'
import type { Links } from './links.ts'
import { exposedName, qualifiedUri, splitName, splitUri } from './names.ts'

/** A list that is fetched from tool servers: its method, the key of its items, and the capability that offers it. */
const LISTS = {
  resources: { method: 'resources/list', key: 'resources', capability: 'resources' },
  templates: { method: 'resources/templates/list', key: 'resourceTemplates', capability: 'resources' },
  prompts: { method: 'prompts/list', key: 'prompts', capability: 'prompts' },
} as const
export type ListKind = keyof typeof LISTS

/** Pages of one server's list at most: a hostile server could page for ever. */
const MAX_PAGES = 100

type Found = { server: string; items: JsonObject[] }
type Routes = { at: number; uris: Map<string, Set<string>>; templates: { server: string; template: UriTemplate }[] }

export type Catalog = {
  /** The server that an exposed tool or prompt name means, and the server's own name of it. */
  split(principal: AgentPrincipal, exposed: string): { server: string; name: string }
  /** The other way round. */
  exposed(principal: AgentPrincipal, server: string, name: string): string
  tools(principal: AgentPrincipal): JsonObject[]
  /** The schema of a tool that this agent may see and that wants arguments repeated in headers. */
  markedSchema(principal: AgentPrincipal, exposed: string): JsonObject | undefined
  list(principal: AgentPrincipal, kind: ListKind, signal: AbortSignal): Promise<JsonObject[]>
  /** The one server that a URI belongs to; undefined when none or several offer it. */
  route(principal: AgentPrincipal, uri: string, signal: AbortSignal): Promise<{ server: string; uri: string } | undefined>
  /** The union of what the servers offer that this agent may see. */
  capabilities(principal: AgentPrincipal): Promise<JsonObject>
  forget(agent: string): void
}

export type CatalogOptions = {
  broker: Pick<Broker, 'visible'>
  tool: Registry['tool']
  links: Links
  log: Logger
  now: () => number
  listTimeoutMs: number
  plainNames: boolean
}

function templateOf(item: JsonObject): UriTemplate | undefined {
  try {
    return typeof item['uriTemplate'] === 'string' ? new UriTemplate(item['uriTemplate']) : undefined
  } catch {
    return undefined
  }
}

function matches(template: UriTemplate, uri: string): boolean {
  try {
    return template.toString() === uri || template.match(uri) !== null
  } catch {
    return false
  }
}

export function createCatalog({ broker, tool, links, log, now, listTimeoutMs, plainNames }: CatalogOptions): Catalog {
  const routes = new Map<string, Routes>()
  /** Which schemas mark arguments: looked at once each. */
  const marked = new WeakMap<JsonObject, boolean>()

  function isMarked(schema: JsonObject): boolean {
    const known = marked.get(schema) ?? JSON.stringify(schema).includes('"x-mcp-header"')
    marked.set(schema, known)
    return known
  }

  /** The server whose names go without its part. */
  function soleServer(principal: AgentPrincipal): string | undefined {
    if (!plainNames) return undefined
    const [sole, another] = broker.visible(principal)
    return another === undefined ? sole?.server : undefined
  }

  const expose = (sole: string | undefined, server: string, name: string) => (server === sole ? name : exposedName(server, name))

  async function fetchFrom(agent: string, server: string, kind: ListKind, signal: AbortSignal): Promise<JsonObject[]> {
    const { method, key, capability } = LISTS[kind]
    const upstream = await links.connect(server, agent)
    if (upstream.capabilities[capability] === undefined) return []
    const items: JsonObject[] = []
    let cursor: string | undefined
    for (let page = 0; page < MAX_PAGES; page++) {
      const result = await upstream.request(method, cursor === undefined ? {} : { cursor }, { signal, timeoutMs: listTimeoutMs })
      const listed = result[key]
      for (const item of Array.isArray(listed) ? listed : []) {
        const object = JsonObjectSchema.safeParse(item)
        if (object.success) items.push(object.data)
      }
      if (typeof result['nextCursor'] !== 'string') return items
      cursor = result['nextCursor']
    }
    throw new Error(`${method} has more than ${MAX_PAGES} pages`)
  }

  /** One failing server leaves the lists of the others whole. */
  async function fetchAll(principal: AgentPrincipal, kind: ListKind, signal: AbortSignal): Promise<Found[]> {
    const offers = LISTS[kind].capability
    const servers = broker.visible(principal).flatMap((seen) => (seen[offers] ? [seen.server] : []))
    const within = AbortSignal.any([signal, AbortSignal.timeout(listTimeoutMs)])
    const lists = await Promise.allSettled(servers.map((server) => fetchFrom(principal.id, server, kind, within)))
    const found: Found[] = []
    for (const [i, list] of lists.entries()) {
      const server = servers[i] ?? ''
      if (list.status === 'fulfilled') found.push({ server, items: list.value })
      else log.warn({ server, list: kind, err: list.reason }, 'a tool server did not answer for a list')
    }
    return found
  }

  function owners(found: readonly Found[], key: string): Map<string, Set<string>> {
    const map = new Map<string, Set<string>>()
    for (const { server, items } of found) {
      for (const item of items) {
        const name = item[key]
        if (typeof name === 'string') map.set(name, (map.get(name) ?? new Set()).add(server))
      }
    }
    return map
  }

  /** What two servers both offer is listed under the name that says which one is meant. */
  function merge(found: readonly Found[], key: string): JsonObject[] {
    const shared = owners(found, key)
    return found.flatMap(({ server, items }) =>
      items.map((item) => {
        const name = item[key]
        return typeof name === 'string' && (shared.get(name)?.size ?? 0) > 1 ? { ...item, [key]: qualifiedUri(server, name) } : item
      }),
    )
  }

  async function refreshed(principal: AgentPrincipal, signal: AbortSignal): Promise<Routes> {
    const [resources, templates] = await Promise.all([fetchAll(principal, 'resources', signal), fetchAll(principal, 'templates', signal)])
    const fresh = {
      at: now(),
      uris: owners(resources, 'uri'),
      templates: templates.flatMap(({ server, items }) =>
        items.flatMap((item) => {
          const template = templateOf(item)
          return template === undefined ? [] : [{ server, template }]
        }),
      ),
    }
    routes.set(principal.id, fresh)
    return fresh
  }

  function lookUp(known: Routes, uri: string): Set<string> {
    const listed = known.uris.get(uri)
    if (listed !== undefined) return listed
    return new Set(known.templates.filter(({ template }) => matches(template, uri)).map(({ server }) => server))
  }

  return {
    split(principal, exposed) {
      const sole = soleServer(principal)
      return sole === undefined ? splitName(exposed) : { server: sole, name: exposed }
    },

    exposed: (principal, server, name) => expose(soleServer(principal), server, name),

    markedSchema(principal, exposed) {
      const { server, name } = this.split(principal, exposed)
      const schema = tool(server, name)?.definition.inputSchema
      if (schema === undefined || !isMarked(schema)) return undefined
      const seen = broker.visible(principal).find((visible) => visible.server === server)
      return seen?.tools.some((visible) => visible.name === name) === true ? schema : undefined
    },

    tools(principal) {
      const sole = soleServer(principal)
      return broker
        .visible(principal)
        .flatMap(({ server, tools }) => tools.map((tool) => ({ ...tool.definition, name: expose(sole, server, tool.name) })))
    },

    async list(principal, kind, signal) {
      const found = await fetchAll(principal, kind, signal)
      if (kind === 'resources') return merge(found, 'uri')
      if (kind === 'templates') return merge(found, 'uriTemplate')
      const sole = soleServer(principal)
      return found.flatMap(({ server, items }) =>
        items.flatMap((item) => (typeof item['name'] === 'string' ? [{ ...item, name: expose(sole, server, item['name']) }] : [])),
      )
    },

    async route(principal, uri, signal) {
      const qualified = splitUri(uri)
      if (qualified !== undefined) return qualified
      const known = routes.get(principal.id)
      let servers = known === undefined ? new Set<string>() : lookUp(known, uri)
      // A miss asks the servers again, but a second's worth of misses asks them once.
      if (servers.size === 0 && (known === undefined || now() - known.at > 1000)) servers = lookUp(await refreshed(principal, signal), uri)
      const visible = new Set(broker.visible(principal).flatMap((seen) => (seen.resources ? [seen.server] : [])))
      const [server, another] = [...servers].filter((name) => visible.has(name))
      return server === undefined || another !== undefined ? undefined : { server, uri }
    },

    async capabilities(principal) {
      const union: JsonObject = { tools: { listChanged: true } }
      const seen = broker.visible(principal)
      const connected = await Promise.allSettled(seen.map(({ server }) => links.connectWithin(server, principal.id, listTimeoutMs)))
      for (const [i, link] of connected.entries()) {
        if (link.status === 'rejected') {
          log.warn({ server: seen[i]?.server, err: link.reason }, 'a tool server did not answer for its capabilities')
          continue
        }
        for (const name of ['resources', 'prompts', 'completions', 'logging'] as const) {
          if ((name === 'resources' || name === 'prompts') && seen[i]?.[name] !== true) continue
          const offered = objectAt(link.value.capabilities, name)
          if (offered !== undefined) union[name] = { ...objectAt(union, name), ...offered }
        }
      }
      return union
    },

    forget: (agent) => void routes.delete(agent),
  }
}
