/** `ephor policy versions`: what was active, and since when. */
import type { Command } from 'commander'
import type { CommonOptions } from '../connection.ts'
import { ago, json, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

export function addVersions(policy: Command, io: Io): void {
  const verb = withServer(
    policy.command('versions').description('list what was active, newest first').option('--limit <n>', 'how many', '50'),
  )
  verb.action(
    served(io, async ({ client }, options: CommonOptions & { limit: string }) => {
      const versions = await client.listPolicyVersions({ query: { limit: options.limit } })
      if (options.json) return json(io, versions)
      const now = Date.now()
      table(
        io,
        versions.items,
        [
          ['', ({ active }) => (active ? 'active' : '')],
          ['since', ({ activatedAt }) => ago(activatedAt, now)],
          ['version', ({ version }) => version],
        ],
        'No policy was ever active.',
      )
    }),
  )
  examples(verb, 'policy versions', 'policy rollback --to sha256:…')
}
