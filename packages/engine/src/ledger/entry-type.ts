/** The type of an entry, such as `approval.voted`: every body has one, and those that read bodies of all kinds start with it. */
import type { Entry } from './types.ts'

export function entryType({ body }: Pick<Entry, 'body'>): string {
  return typeof body['type'] === 'string' ? body['type'] : ''
}
