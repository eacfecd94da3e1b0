/** From a request that a proxy holds back to a question: one reading of method, host and path, and none where there could be two. */
import type { JsonObject } from '@ephor/engine/kernel'
import type { AccessQuestion, Application } from '@ephor/engine/policy'

/** A request as the proxy describes it. The client controls method, path, and every header that the proxy does not set. */
export type HeldRequest = { method: string; path: string; host: string; scheme: string; headers: Readonly<Record<string, string>> }

type EnvoySettings = NonNullable<Application['settings']['envoy']>

const MAX_PATH = 8192

/** A host as it is compared: lower case, without port and without the dot at its end. */
function hostOf(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '')
}

/**
 * The path's segments, decoded once. Servers read a dot segment, a backslash, an encoded slash, an empty segment or a twice
 * encoded character in different ways, so that a path with one is not asked about at all.
 * @returns undefined for such a path
 */
export function segmentsOf(path: string): string[] | undefined {
  const [plain = ''] = path.split('?')
  if (plain.length > MAX_PATH || !plain.startsWith('/') || /[#\\;]|%2f|%5c|%00|[^\x21-\x7e]/i.test(plain)) return undefined
  const raw = plain.slice(1).split('/')
  // A slash at the end names the folder itself.
  if (raw.at(-1) === '' && raw.length > 1) raw.pop()
  const segments: string[] = []
  for (const part of raw) {
    let segment: string
    try {
      segment = decodeURIComponent(part)
    } catch {
      return undefined
    }
    if (segment === '.' || segment === '..' || (segment === '' && plain !== '/') || /%[0-9a-f]{2}|[/\\\p{Cc}]/iu.test(segment))
      return undefined
    segments.push(segment.normalize('NFC'))
  }
  return plain === '/' ? [] : segments
}

/** What the names of a pattern stand for; undefined where it does not fit. */
function matchPath(pattern: string, segments: readonly string[]): Map<string, string> | undefined {
  const parts = pattern.split('/').slice(1)
  const open = parts.at(-1) === '*'
  if (open) parts.pop()
  else if (parts.at(-1) === '') parts.pop()
  if (open ? segments.length < parts.length : segments.length !== parts.length) return undefined
  const names = new Map<string, string>()
  for (const [i, part] of parts.entries()) {
    const segment = segments[i] ?? ''
    if (part.startsWith(':')) names.set(part.slice(1), segment)
    else if (part !== segment) return undefined
  }
  return names
}

function fill(template: string, names: ReadonlyMap<string, string>): string {
  return template.replaceAll(/:([A-Za-z]\w*)/g, (whole, name: string) => names.get(name) ?? whole)
}

/** @returns the question, or in a few words why there is none */
export function readRequest(settings: EnvoySettings, { method, path, host, scheme, headers }: HeldRequest): AccessQuestion | string {
  const name = hostOf(host)
  if (settings.hosts.length > 0 && !settings.hosts.includes(name)) return 'the application does not answer for this host'
  const segments = segmentsOf(path)
  if (!segments) return 'the path can be read in more than one way'
  const { type, header } = settings.subject
  const subject = Object.hasOwn(headers, header) ? headers[header] : undefined
  // The proxy joins a header that came twice with a comma: then it is not the proxy's own.
  if (subject === undefined || subject === '' || subject.length > 1024 || subject.includes(',')) return 'the proxy does not say who asks'
  for (const route of settings.routes) {
    const names = route.methods.includes(method) ? matchPath(route.path, segments) : undefined
    if (!names) continue
    const http: JsonObject = { method, host: name, path: `/${segments.join('/')}`, scheme }
    const resource = { type: route.resource.type, id: fill(route.resource.id, names) }
    return { subject: { type, id: subject }, action: { name: route.action }, resource, context: { http } }
  }
  return 'no route of the application fits'
}
