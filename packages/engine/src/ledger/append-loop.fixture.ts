/** A process that appends for ever and says what was acknowledged, to be killed by a test: folder, name of the run, replica. */
import { writeSync } from 'node:fs'
import { decision, openWorld } from './ledger.fixture.ts'

const [folder = '', run = '', replica] = process.argv.slice(2)
const { ledger } = await openWorld(folder, replica === undefined ? {} : { replica })
let next = 0
await Promise.all(
  Array.from({ length: 16 }, async () => {
    for (;;) {
      const id = `${run}-${next++}`
      const [receipt] = await ledger.append({
        changes: [],
        entries: [decision(id), { type: 'outcome', id: `${id}/outcome`, body: { decision: id } }],
      })
      writeSync(1, `${JSON.stringify({ id, ...receipt })}\n`)
    }
  }),
)
