/** Wire shapes of the health check: alive, ready, and what is wrong when it is not. */
import { z } from 'zod'
import type { Operations } from './operation.ts'

export const healthOperations = {
  checkHealth: {
    method: 'GET',
    path: '/v1/health',
    summary: 'Says whether Ephor is alive and ready to decide; 503 while it is not ready',
    tag: 'health',
    who: 'anyone',
    response: z.object({
      live: z.literal(true),
      ready: z.boolean(),
      reasons: z.array(z.string()).describe('Why it is not ready; empty when it is.'),
      warnings: z
        .array(z.string())
        .describe(
          'What somebody should look at while it decides as ever; who is not signed in as a person learns only that there is something.',
        ),
      version: z.string(),
    }),
  },
} satisfies Operations
