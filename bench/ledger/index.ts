/** The ledger: durable appends on both stores and by several replicas, proofs, verification, and how all of it grows. `--small` tries it out in seconds. */
import { printTable } from '../measure.ts'
import { benchAppends } from './appends.ts'
import { benchGrowth } from './growth.ts'
import { describePostgres, draftOf, inFolder, openLedgerWorld } from './worlds.ts'

const SMALL = process.argv.includes('--small')
const DURATION = SMALL ? { warmupMs: 100, ms: 400 } : { warmupMs: 2000, ms: 6000 }
const SIZES = SMALL ? [1000, 5000] : [10_000, 100_000, 1_000_000]
const BULK = SMALL ? [1000, 50_000] : [10_000, 100_000, 1_000_000, 10_000_000]

/** What an entry of the bench is made of, as it is stored. */
function entrySize(): Promise<{ body: number; payload: number }> {
  return inFolder(async (folder) => {
    const world = await openLedgerWorld({ folder })
    await world.ledger.append({ changes: [], entries: [draftOf(1, 1, 'size')] })
    const entry = await world.ledger.read(0)
    await world.close()
    return { body: JSON.stringify(entry?.body).length, payload: JSON.stringify(draftOf(1, 1, 'size').payloads?.[0]?.value).length }
  })
}

export async function benchLedger() {
  const postgres = await describePostgres()
  if (!postgres) console.log('No PostgreSQL answers (BENCH_POSTGRES names another): its rows are left out.')
  const appends = await benchAppends(DURATION, postgres !== undefined)
  printTable('Durable appends', appends)
  const { growth, verification } = await benchGrowth(SIZES, BULK)
  printTable('Growth', growth)
  printTable('Verification of the whole log, one core', verification)
  return { entryBytes: await entrySize(), postgres: postgres ?? 'not measured: none answered', appends, growth, verification }
}
