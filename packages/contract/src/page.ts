/** Cursor paging: the query every list takes and the envelope every list answers with. */
import { z } from 'zod'

export const PageQuery = z.object({
  cursor: z.string().max(200).optional().describe('Where the last page ended: its `next`.'),
  limit: z.coerce.number().int().min(1).max(500).default(50).describe('Items a page.'),
})

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next: z.string().optional().describe('The cursor of the next page; absent on the last.') })
}
