/** The way on when Ephor refuses to start: a person says that the store's history counts, not the one that the checkpoint outside tells of. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { Fault } from '@ephor/contract'
import { toHex } from '@ephor/proof'
import type { Tree } from '../check-outside.ts'
import { writeDurably } from '../write-durably.ts'
import type { Forks } from './types.ts'

/** `root` is hexadecimal: of the store's last signed checkpoint, so that nobody accepts what they did not look at. */
export type AcceptedHistory = { size: number; root: string; reason: string }

const fileOf = (outside: string) => `${outside}.refused`

/**
 * Keeps the refused checkpoint and the reason beside the file that is about to be written over: they are recorded once the
 * ledger is open, after a crash at the next start.
 * @throws Fault CONFLICT when the store has another history than the one that is accepted
 */
export function refuseOutside(outside: string, note: string, stored: Tree, accept: AcceptedHistory): void {
  const { size, root, reason } = accept
  if (stored.size !== size || toHex(stored.root) !== root)
    throw new Fault(
      'CONFLICT',
      `the store has ${stored.size} entries with the root ${toHex(stored.root)}: that is what can be accepted here`,
    )
  writeDurably(fileOf(outside), JSON.stringify({ note, reason }))
}

/** Records what `refuseOutside` kept, if it kept anything. */
export async function recordRefused(outside: string, forks: Forks): Promise<void> {
  const file = fileOf(outside)
  if (!existsSync(file)) return
  const { note, reason } = JSON.parse(readFileSync(file, 'utf8')) as { note: string; reason: string }
  await forks.refuse(note, reason)
  rmSync(file)
}
