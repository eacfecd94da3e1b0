/** Secrets in a transport: which values are moved to the vault before anything is stored, and what is shown of the rest. */
import type { Transport } from './types.ts'

const SECRET_NAME = /(key|token|secret|passw|pwd|auth|credential|cookie|session)/i

// Prefixes that issuers print on their keys, JSON web tokens, private keys.
const SECRET_SHAPES = [
  /\b(sk|pk|rk)[-_](live|test|proj|ant|or)?[-_]?[A-Za-z0-9_-]{16,}/,
  /\b(ghp|gho|ghu|ghs|ghr|github_pat|glpat|xox[abposr]|npm|hf|pypi|shpat|dop_v1|eph|eps)[-_][A-Za-z0-9_-]{10,}/,
  /\b(AKIA|ASIA)[A-Z0-9]{16}\b/,
  /\bAIza[\w-]{30,}/,
  /\beyJ[\w-]{8,}\.[\w-]{8,}\./,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /^(Bearer|Basic)\s+\S+/i,
  // user:password@ in an address
  /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i,
]

/** A long run of letters and digits mixed, with nothing that a path or a word has. */
const isRandom = (value: string) =>
  /^[A-Za-z0-9+/_=-]{32,}$/.test(value) && /\d/.test(value) && /[a-z]/i.test(value) && !/^[/.]|\/.*\/.*\//.test(value)

const isReference = (value: string) => value.startsWith('secret:')

export function looksSecret(value: string): boolean {
  return SECRET_SHAPES.some((shape) => shape.test(value)) || isRandom(value)
}

function isSecretUrl(text: string): boolean {
  if (looksSecret(text)) return true
  const url = URL.parse(text)
  return url !== null && [...url.searchParams].some(([name, value]) => SECRET_NAME.test(name) || looksSecret(value))
}

/** The secret's name: the server's and the field's, in the characters that a reference may have. */
const nameFor = (server: string, field: string) => `${server}.${field.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`.slice(0, 128)

/** Is this argument a secret? `before` is the one in front of it: `--api-key VALUE`. */
function isSecretArgument(value: string, before: string | undefined): boolean {
  if (/^--?[\w-]+$/.test(before ?? '') && SECRET_NAME.test(before ?? '') && !value.startsWith('-')) return true
  const [flag, given] = value.split('=', 2)
  if (given !== undefined && /^--?[\w-]+$/.test(flag ?? '')) return SECRET_NAME.test(flag ?? '') || looksSecret(given)
  return isSecretUrl(value)
}

/** What `extractSecrets` found, and the transport with references in their place. Whole values are replaced, never parts. */
export type Extracted = { transport: Transport; secrets: { name: string; value: string }[] }

/** Values that are already references stay; everything in a header counts as secret. */
export function extractSecrets(server: string, transport: Transport): Extracted {
  const secrets: { name: string; value: string }[] = []
  const move = (field: string, value: string): string => {
    let name = nameFor(server, field)
    // Two fields may come to the same name once their odd characters are gone.
    for (let i = 2; secrets.some((secret) => secret.name === name); i++) name = `${nameFor(server, field).slice(0, 124)}-${i}`
    secrets.push({ name, value })
    return `secret:${name}`
  }
  if (transport.type === 'http') {
    const headers = Object.entries(transport.headers).map(([name, value]) => [
      name,
      isReference(value) || value === '' ? value : move(name, value),
    ])
    const url = !isReference(transport.url) && isSecretUrl(transport.url) ? move('url', transport.url) : transport.url
    return { transport: { ...transport, url, headers: Object.fromEntries(headers) as Record<string, string> }, secrets }
  }
  const env = Object.entries(transport.env).map(([name, value]) => {
    const secret = !isReference(value) && value !== '' && (SECRET_NAME.test(name) || isSecretUrl(value))
    return [name, secret ? move(name, value) : value]
  })
  const args = transport.args.map((value, i) => {
    const secret = !isReference(value) && value !== '' && isSecretArgument(value, transport.args[i - 1])
    return secret ? move(`arg${i + 1}`, value) : value
  })
  return { transport: { ...transport, args, env: Object.fromEntries(env) as Record<string, string> }, secrets }
}

const hide = (values: Record<string, string>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, isReference(value) ? value : value === '' ? '' : '(set)']))

/** What an answer shows of a transport: values of the environment and of headers only as references or `(set)`. */
export function showTransport(transport: Transport): Record<string, unknown> {
  return transport.type === 'http' ? { ...transport, headers: hide(transport.headers) } : { ...transport, env: hide(transport.env) }
}
