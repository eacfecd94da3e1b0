/** What PostgreSQL and the network say, in the faults of the store. No message of ours ever holds a password. */
import { Fault, FAULTS } from '@ephor/contract'
import type { FaultCode } from '@ephor/contract'

/** `role@host:port/database` of a URL, to be named in messages. */
export function nameDatabase(url: string): string {
  try {
    const { username, hostname, port, pathname } = new URL(url)
    return `${decodeURIComponent(username) || 'the default role'} at ${hostname || 'the local socket'}:${port || '5432'}${pathname}`
  } catch {
    return 'the address in store.url'
  }
}

const BY_STATE: Record<string, FaultCode> = {
  '28000': 'DATABASE_SIGN_IN_REFUSED',
  '28P01': 'DATABASE_SIGN_IN_REFUSED',
  '3D000': 'DATABASE_MISSING',
  '42501': 'DATABASE_RIGHTS_MISSING',
}

/** Why the store could not be opened. */
export function openingFault(error: unknown, url: string): Fault {
  if (error instanceof Fault) return error
  const { code = '', message = '' } = error as { code?: string; message?: string }
  const detail = `${nameDatabase(url)}: ${message || code}`
  const fault = BY_STATE[code]
  if (fault) return new Fault(fault, detail, { cause: error })
  if (code in FAULTS) return new Fault(code as FaultCode, message, { cause: error })
  if (/SASL|password/.test(message)) return new Fault('DATABASE_SIGN_IN_REFUSED', detail, { cause: error })
  if (/^[0-9A-Z]{5}$/.test(code) && !/^(?:08|53|57)/.test(code)) return new Fault('STORE_UNAVAILABLE', detail, { cause: error })
  return new Fault('DATABASE_UNREACHABLE', detail, { cause: error })
}

/** The fault that a code from the thread stands for: ours by name, PostgreSQL's SQLSTATE and the network's errors by kind. */
export function postgresFault(code: string, detail: string): Fault {
  if (code in FAULTS) return new Fault(code as FaultCode, detail)
  if (/^[0-9A-Z]{5}$/.test(code) || /^E[A-Z]+$/.test(code)) return new Fault('STORE_UNAVAILABLE', `${code}: ${detail}`)
  return new Fault('INTERNAL', detail)
}

/** PostgreSQL asks for the transaction to be done over: serialization, deadlock, a plan or a name that another session changed. */
export function asksAgain(error: unknown): boolean {
  return ['40001', '40P01', '0A000', '26000'].includes((error as { code?: string }).code ?? '')
}

/**
 * What went wrong with one unit alone, if so: its rows, its values, its text, or what the extension says of it.
 * Undefined: the database has trouble that is nobody's fault.
 */
export function faultOfUnit(error: unknown): { code: string; detail: string } | undefined {
  const { code, message: detail } = error as { code?: string; message: string }
  if (code === undefined || asksAgain(error)) return undefined
  if (code.startsWith('23')) return { code: 'CONFLICT', detail }
  if (code === '22021') return { code: 'REQUEST_INVALID', detail: 'PostgreSQL can’t store a text that has a NUL in it' }
  if (/^(?:21|22|42)[0-9A-Z]{3}$/.test(code)) return { code: 'STORE_UNAVAILABLE', detail: `${code}: ${detail}` }
  return code in FAULTS && code !== 'STORE_UNAVAILABLE' ? { code, detail } : undefined
}
