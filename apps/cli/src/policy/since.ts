/** A length of time before now as people write it: `90m`, `24h`, `7d`. */
import { InvalidArgumentError } from 'commander'

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** @returns RFC 3339. @throws InvalidArgumentError unless it is a whole number of minutes, hours or days */
export function since(text: string): string {
  const match = /^(\d{1,5})([mhd])$/.exec(text)
  if (!match) throw new InvalidArgumentError('write a length of time such as 90m, 24h or 7d')
  return new Date(Date.now() - Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]).toISOString()
}
