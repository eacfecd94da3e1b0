/** How tools and prompts of several servers get one name space, and which names are refused because they deceive the eye. */

/** `server__tool`: the server's part has no underscore, so the first pair of them parts the two without doubt. */
export function exposedName(server: string, name: string): string {
  return `${server}__${name}`
}

/** The server and the server's own name of a tool or prompt; a name without a server part belongs to the server ''. */
export function splitName(exposed: string): { server: string; name: string } {
  const at = exposed.indexOf('__')
  return at < 1 ? { server: '', name: exposed } : { server: exposed.slice(0, at), name: exposed.slice(at + 2) }
}

/** `ephor+server:uri` names a resource of one server without doubt. */
export function qualifiedUri(server: string, uri: string): string {
  return `ephor+${server}:${uri}`
}

export function splitUri(uri: string): { server: string; uri: string } | undefined {
  const match = /^ephor\+([a-z0-9][a-z0-9-]{0,40}):(.+)$/s.exec(uri)
  return match?.[1] === undefined || match[2] === undefined ? undefined : { server: match[1], uri: match[2] }
}

// Controls, format characters (bidi overrides among them), private use, unassigned, half surrogates, separators, and
// everything that Unicode says may be drawn as nothing (UAX #44 Default_Ignorable_Code_Point).
const INVISIBLE = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u
const ASCII = /^[\x20-\x7e]*$/

/**
 * True when a name could pass for another one to a person or a program: invisible or bidi characters, forms that
 * normalisation changes (UAX #15), or letters beyond ASCII (look-alikes, UTS #39) that no accepted tool has in its name.
 * @param known whether an accepted tool has exactly this name
 */
export function isSuspicious(name: string, known: boolean): boolean {
  if (ASCII.test(name)) return false
  return !known || INVISIBLE.test(name) || name.normalize('NFKC') !== name
}
