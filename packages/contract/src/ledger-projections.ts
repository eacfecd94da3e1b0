/** Wire shapes of the check of the rooms' tables against the ledger. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

const ProjectionDifferenceView = z.object({
  table: z.string(),
  key: z.string().describe('Of the row; its parts are joined by slashes.'),
  field: z.string().optional().describe('The column; left out when the whole row is missing or should not be there.'),
  detail: z.string().describe('What is wrong, in a sentence.'),
})

export const ledgerProjectionsOperations = {
  checkProjections: {
    method: 'GET',
    path: '/v1/ledger/projections',
    summary: 'Compares the tables with what the entries of the ledger say; reads the whole ledger, so that a large one takes a while',
    tag: 'ledger',
    who: 'person',
    response: z.object({
      entries: z.number().int().nonnegative().describe('Entries that were read.'),
      rows: z.number().int().nonnegative().describe('Rows that were compared.'),
      differs: z.number().int().nonnegative().describe('How many differences there are; zero is what it should be.'),
      differences: z.array(ProjectionDifferenceView).describe('The first thousand.'),
      notCovered: z
        .number()
        .int()
        .nonnegative()
        .describe('Rows, or columns of them, that no entry commits to: most are older than the entries that do.'),
      uncovered: z.array(ProjectionDifferenceView).describe('The first thousand of these.'),
    }),
  },
} satisfies Operations
