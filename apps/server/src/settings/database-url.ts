/** The address of the database, checked before it is used: a TLS option that is misspelt would leave the connection open to read. */
import { z } from 'zod'

const TLS_MODES = ['disable', 'no-verify', 'prefer', 'require', 'verify-ca', 'verify-full']
const TLS_NAMES = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'sslnegotiation', 'ssl']

function* queryOf(url: string): Generator<[string, string]> {
  const start = url.indexOf('?')
  if (start >= 0) yield* new URLSearchParams(url.slice(start + 1))
}

/** What `pg` understands; a query may hold paths (`sslrootcert=/etc/ca.pem`, `host=/run/postgresql`). */
export const databaseUrl = z
  .string()
  .regex(/^postgres(?:ql)?:\/\/[^/]*\/[^/?]+(?:\?.*)?$/, 'must be an address such as postgres://role:password@host:5432/database')
  .refine((url) => [...queryOf(url)].every(([name]) => !/^ssl/i.test(name) || TLS_NAMES.includes(name)), {
    error: `has an option for TLS that is none: it knows ${TLS_NAMES.join(', ')}`,
    abort: true,
  })
  .refine((url) => [...queryOf(url)].every(([name, value]) => name !== 'sslmode' || TLS_MODES.includes(value)), {
    error: `has an sslmode that is none of ${TLS_MODES.join(', ')}`,
  })
