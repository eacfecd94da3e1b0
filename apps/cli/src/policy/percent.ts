/** A percentage as people write it: `10` or `10%`. */
import { InvalidArgumentError } from 'commander'

/** @throws InvalidArgumentError unless it is a whole number from 1 to 100 */
export function percent(text: string): number {
  const match = /^(\d{1,3})%?$/.exec(text)
  const value = Number(match?.[1])
  if (!match || value < 1 || value > 100) throw new InvalidArgumentError('write a whole number from 1 to 100, such as 10%')
  return value
}
