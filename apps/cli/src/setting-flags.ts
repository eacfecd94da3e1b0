/** A flag for every setting, made from the settings' own schema. */
import type { Command } from 'commander'
import { SETTING_NAMES } from '@ephor/server'

/** As commander names an option's value: `--limits-body-bytes` is `limitsBodyBytes`. */
function optionName(flag: string): string {
  return flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

export function withSettings(command: Command): Command {
  command.option('--config <file>', 'the settings file (or EPHOR_CONFIG); ephor.yaml in the data folder unless set')
  for (const { flag, environment, description, isFlag } of SETTING_NAMES) {
    const words = `${description} (${environment})`
    if (isFlag) command.option(`${flag} [true|false]`, words).option(`--no-${flag.slice(2)}`, '')
    else command.option(`${flag} <value>`, words)
  }
  return command
}

export function readSettingFlags(options: Record<string, unknown>): { flags: Record<string, unknown>; config?: string } {
  const flags = Object.fromEntries(SETTING_NAMES.map(({ path, flag }) => [path, options[optionName(flag)]]))
  const { config } = options
  return { flags, ...(typeof config === 'string' ? { config } : {}) }
}
