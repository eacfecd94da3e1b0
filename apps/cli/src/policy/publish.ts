/** `ephor policy publish`: takes a reviewed proposal live: beside the active version, for a part of the sessions, or at once. */
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { json, line } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { percent } from './percent.ts'

type Options = CommonOptions & { shadow?: boolean; canary?: number }

export function addPublish(policy: Command, io: Io): void {
  const verb = withServer(
    policy
      .command('publish')
      .argument('<proposal>', 'prp_…')
      .description('take a reviewed proposal live')
      .option('--shadow', 'evaluate it beside the active version; it decides nothing')
      .option('--canary <percent>', 'let it decide for a part of the sessions', percent),
  )
  verb.action(
    served(io, async ({ client }, options: Options, id: string) => {
      const { shadow, canary } = options
      if (shadow && canary !== undefined) throw new Fault('REQUEST_INVALID', 'either --shadow or --canary')
      const body =
        canary === undefined ? { mode: shadow ? ('shadow' as const) : ('active' as const) } : { mode: 'canary' as const, percent: canary }
      const proposal = await client.publishProposal({ params: { id }, body, idempotencyKey: crypto.randomUUID() })
      if (options.json) return json(io, proposal)
      line(io, body.mode === 'active' ? `${proposal.version} is active.` : `${proposal.version} is tried: ephor policy rollout --watch`)
    }),
  )
  examples(verb, 'policy publish prp_01kf… --shadow', 'policy publish prp_01kf… --canary 10%', 'policy publish prp_01kf…')
}
