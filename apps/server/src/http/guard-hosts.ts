/** Refuses requests that a web page elsewhere tricked a browser into sending: Host and Origin must be ours (DNS rebinding). */
import { isIP } from 'node:net'
import { Fault } from '@ephor/contract'

export type HostRules = {
  /** The address that is listened on. */
  host: string
  /** `name` or `name:port`. */
  allowedHosts: readonly string[]
  publicUrl?: string | undefined
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1'])

function hostname(authority: string): string | undefined {
  // Parsed by the same rules as a browser's, so that `localhost@evil.example` or a stray slash can't pass for another host.
  if (!/^[A-Za-z0-9.:[\]_-]+$/.test(authority)) return undefined
  const url = URL.parse(`http://${authority}/`)
  return url?.hostname.replace(/^\[|\]$/g, '')
}

/** Checks the two headers of a request; throws Fault HOST_REFUSED. */
export function makeHostGuard(rules: HostRules): (host: string | undefined, origin: string | undefined) => void {
  const anyAddress = rules.host === '0.0.0.0' || rules.host === '::'
  const publicUrl = rules.publicUrl === undefined ? undefined : new URL(rules.publicUrl)
  const allowed = new Set(
    [...rules.allowedHosts, ...(publicUrl ? [publicUrl.host, publicUrl.hostname] : [])].map((name) => name.toLowerCase()),
  )
  const mayServe = (authority: string) => {
    const name = hostname(authority)
    if (name === undefined) return false
    if (LOOPBACK.has(name) || name === rules.host || allowed.has(name) || allowed.has(authority.toLowerCase())) return true
    // Rebinding needs a name; whoever wrote an address knows where the request goes.
    return anyAddress && isIP(name) !== 0
  }

  return (host, origin) => {
    if (host === undefined || !mayServe(host))
      throw new Fault('HOST_REFUSED', `the Host header ${JSON.stringify(host ?? '')} is not one of ours`)
    if (origin === undefined) return
    const from = URL.parse(origin)
    // A page on another port of this machine is another origin, as it is to a browser.
    const same = from !== null && (from.host === host.toLowerCase() || from.origin === publicUrl?.origin || allowed.has(from.host))
    if (!same) throw new Fault('HOST_REFUSED', `the Origin ${JSON.stringify(origin.slice(0, 100))} is not one of ours`)
  }
}
