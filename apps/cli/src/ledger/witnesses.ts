/** `ephor ledger witnesses`, `compare`, `forks` and `resolve-fork`: what others have seen of the ledger, and what to do when it is not this. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { Fault } from '@ephor/contract'
import type { ForkView } from '@ephor/contract'
import { readCheckpoint, toHex } from '@ephor/proof'
import type { CommonOptions } from '../connection.ts'
import { ExitCode } from '../exit-code.ts'
import { EXIT } from '../exit-codes.ts'
import { ago, json, line, plain, table } from '../output.ts'
import type { Io } from '../output.ts'
import { examples, served, withServer } from '../verb.ts'
import { resolveOffline } from './resolve-offline.ts'

function addList(ledger: Command, io: Io): void {
  const witnesses = withServer(ledger.command('witnesses').description('list who cosigns the ledger, and whether enough do'))
  witnesses.action(
    served(io, async ({ client }, options: CommonOptions) => {
      const { items, quorum, outage } = await client.listWitnesses()
      if (options.json) return json(io, { items, quorum, ...(outage ? { outage } : {}) })
      const now = Date.now()
      table(
        io,
        items,
        [
          ['witness', ({ name }) => name],
          ['cosigned', ({ size }) => size],
          ['when', ({ at }) => ago(at, now)],
          ['address', ({ url }) => url],
          ['failure', ({ failure }) => failure],
        ],
        'Nobody cosigns this ledger: the settings name no witness (ledger.witnesses).',
      )
      if (outage) line(io, `Too few of them (${quorum} are asked for) have cosigned since ${outage.since}, at entry ${outage.size}.`)
    }),
  )
}

function addCompare(ledger: Command, io: Io): void {
  const compare = withServer(
    ledger.command('compare').argument('<checkpoint>', 'a file').description('hold a checkpoint that somebody kept against the ledger'),
  )
  compare.action(
    served(io, async ({ client }, options: CommonOptions, file: string) => {
      const checkpoint = await readFile(resolve(io.folder, file), 'utf8').catch((error: Error) => {
        throw new Fault('REQUEST_INVALID', error.message, { where: file })
      })
      const { kind, size, detail = '' } = await client.compareCheckpoint({ body: { checkpoint } })
      if (options.json) json(io, { kind, size, detail })
      else if (kind === 'contained') line(io, `The ledger begins with these ${size} entries.`)
      else if (kind === 'resolved') line(io, `It contradicts the ledger, and that was resolved: ephor ledger forks.`)
      else if (kind === 'foreign') line(io, `It says nothing of this ledger: ${plain(detail)}`)
      else line(io, `It contradicts the ledger: ${plain(detail)}. Nothing is permitted until the operator resolves it.`)
      if (kind === 'forked' || kind === 'foreign') throw new ExitCode(EXIT.failed)
    }),
  )
  examples(compare, 'ledger compare last-month.checkpoint')
}

function addForks(ledger: Command, io: Io): void {
  const forks = withServer(ledger.command('forks').description('list checkpoints that contradicted the ledger'))
  forks.action(
    served(io, async ({ client }, options: CommonOptions) => {
      const { items } = await client.listForks()
      if (options.json) return json(io, items)
      const now = Date.now()
      table<ForkView>(
        io,
        items,
        [
          ['entries', ({ size }) => size],
          ['root', ({ root }) => root.slice(0, 16)],
          ['from', ({ source }) => source],
          ['found', ({ at }) => ago(at, now)],
          ['resolved', ({ resolvedAt }) => ago(resolvedAt, now)],
          ['what', ({ detail }) => detail],
        ],
        'No checkpoint contradicted this ledger.',
      )
    }),
  )
}

/** `<size>/<root>`, or a file with a checkpoint. */
async function parseAccept(io: Io, text: string): Promise<{ size: number; root: string }> {
  const [, size, root] = /^(\d{1,15})\/([0-9a-f]{64})$/.exec(text) ?? []
  if (size !== undefined && root !== undefined) return { size: Number(size), root }
  try {
    const checkpoint = readCheckpoint(await readFile(resolve(io.folder, text), 'utf8'))
    return { size: checkpoint.size, root: toHex(checkpoint.root) }
  } catch (error) {
    const detail = `--accept is <size>/<root>, as ephor ledger head shows them, or a file with a checkpoint: ${(error as Error).message}`
    throw new Fault('REQUEST_INVALID', detail, { where: 'accept' })
  }
}

type ResolveOptions = CommonOptions & { reason: string; accept: string }

function addResolve(ledger: Command, io: Io): void {
  const resolving = withServer(
    ledger
      .command('resolve-fork')
      .description('say that this ledger’s history is the one that counts; works also when Ephor refuses to start'),
  )
  resolving
    .requiredOption('--reason <text>', 'why; it is kept in the ledger')
    .requiredOption('--accept <history>', '<size>/<root> of this ledger, or a file with a checkpoint of it')
  const online = served(io, async ({ client }, options: ResolveOptions) => {
    const { items } = await client.resolveFork({ body: { reason: options.reason, accept: await parseAccept(io, options.accept) } })
    if (options.json) json(io, items)
    else line(io, `Resolved and recorded: ${items.length} other ${items.length === 1 ? 'history' : 'histories'} refused. Calls go on.`)
  })
  resolving.action(async (...all: unknown[]) => {
    const options = all.at(-2) as ResolveOptions
    try {
      await online(...all)
    } catch (error) {
      const nobody = error instanceof Fault && error.code === 'SERVER_UNREACHABLE'
      if (!nobody || options.url !== undefined) throw error
      await resolveOffline(io, options, { ...(await parseAccept(io, options.accept)), reason: options.reason })
    }
  })
  examples(resolving, 'ledger resolve-fork --accept 4711/9f86d081… --reason "a copy was started on the old machine by mistake"')
}

export function addWitnesses(ledger: Command, io: Io): void {
  addList(ledger, io)
  addCompare(ledger, io)
  addForks(ledger, io)
  addResolve(ledger, io)
}
