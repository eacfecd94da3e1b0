/** The environment of a tool server's process: a named few variables and what the operator configured, never Ephor's own. */
import { Fault } from '@ephor/contract'

/** What a program needs to find its parts and speak the user's language; nothing here carries a secret. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR']

/** @throws Fault SETTINGS_INVALID when the configuration would hand Ephor's own settings to a tool server. */
export function childEnv(own: NodeJS.ProcessEnv, configured: Record<string, string>): Record<string, string> {
  const env: Record<string, string> = {}
  for (const name of INHERITED) {
    const value = own[name]
    if (value !== undefined) env[name] = value
  }
  for (const [name, value] of Object.entries(configured)) {
    // EPHOR_* can name the data folder and its keys: nothing that a tool server has business with.
    if (name.toUpperCase().startsWith('EPHOR_')) throw new Fault('SETTINGS_INVALID', `a tool server may not be given ${name}`)
    env[name] = value
  }
  return env
}
