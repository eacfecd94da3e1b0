/** A process that appends and indexes for ever, and says how far it is, to be killed by a test: folder. */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { decisionBody, openSearchWorld } from './search.fixture.ts'

const { ledger, search } = await openSearchWorld(process.argv[2])
for (let n = 0; ; n++) {
  const entries = Array.from({ length: 100 }, (_, i) => ({
    type: 'decision',
    body: decisionBody({ agent: `agt_${i}`, more: { session: `${n}-${i}` } }),
  }))
  await ledger.append({ changes: [], entries })
  writeSync(1, `${(await search.status()).indexed}\n`)
  await sleep(5)
}
