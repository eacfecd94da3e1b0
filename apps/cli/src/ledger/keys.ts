/** `ephor ledger keys`, `rotate-key` and `revoke-key`: what signs the ledger, and how that changes. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { Fault, RevocationReason } from '@ephor/contract'
import type { CommonOptions } from '../connection.ts'
import { json, line, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'

type RevokeOptions = CommonOptions & { size: string; reason: (typeof RevocationReason.options)[number] }

export function addKeys(ledger: Command, io: Io): void {
  withServer(ledger.command('keys').description('list the keys that signed the ledger, from the first to the current one')).action(
    served(io, async ({ client }, options: CommonOptions) => {
      const { items } = await client.listLedgerKeys()
      if (options.json) return json(io, { items })
      table(
        io,
        items,
        [
          ['state', ({ state }) => state],
          ['since entry', ({ since }) => since],
          ['replaced at', ({ replacedAt }) => replacedAt],
          ['revoked above', ({ revokedAbove }) => revokedAbove],
          ['why', ({ reason }) => reason],
          ['key', ({ key }) => key],
        ],
        'The ledger has no key.',
      )
    }),
  )

  const rotating = withServer(
    ledger.command('rotate-key').description('hand the ledger over to a new key; whoever holds the old one can follow'),
  )
  rotating.action(
    served(io, async ({ client }, options: CommonOptions) => {
      const rotated = await client.rotateLedgerKey()
      if (options.json) return json(io, rotated)
      line(io, `Entry ${rotated.since} hands the ledger over to`)
      line(io, `  ${rotated.key}`)
      line(io, 'Give it to those who verify; the keys before it verify what they signed, and lead to this one.')
    }),
  )
  examples(rotating, 'ledger rotate-key')

  const revoking = withServer(
    ledger
      .command('revoke-key')
      .argument('<key>', 'its verifier key: ephor ledger keys')
      .description('say that a replaced key is not to be trusted any more'),
  )
  revoking
    .requiredOption('--size <n>', 'what it signed up to this size stays good')
    .addOption(new Option('--reason <code>', 'why').choices(RevocationReason.options).makeOptionMandatory())
  revoking.action(
    served(io, async ({ client }, { size, reason, json: asJson }: RevokeOptions, key: string) => {
      if (!/^\d{1,15}$/.test(size)) throw new Fault('REQUEST_INVALID', 'the size is a number of entries', { where: '--size' })
      const revoked = await client.revokeLedgerKey({ body: { key, size: Number(size), reason } })
      if (asJson) return json(io, revoked)
      line(io, `Revoked: checkpoints of this key above ${revoked.revokedAbove} entries are not to be trusted.`)
    }),
  )
  examples(revoking, 'ledger revoke-key ephor.local/…+…+… --size 41230 --reason compromised')
}
