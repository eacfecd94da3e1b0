/** Runs the benchmarks and writes what they measured to bench/results, with the machine they ran on. `npm run bench -- NAME` runs one. `--small`, where a benchmark knows it, tries it out and writes nothing. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchBacktest } from './backtest.ts'
import { benchDecisions } from './decisions.ts'
import { benchGateway } from './gateway.ts'
import { benchLedger } from './ledger/index.ts'
import { benchLedgerSearch } from './ledger-search.ts'
import { machine } from './measure.ts'
import { benchMemory } from './memory.ts'
import { benchPolicy } from './policy/index.ts'
import { benchReplicas } from './replicas.ts'

const benches = {
  backtest: benchBacktest,
  decisions: benchDecisions,
  gateway: benchGateway,
  ledger: benchLedger,
  'ledger-search': benchLedgerSearch,
  memory: benchMemory,
  policy: benchPolicy,
  replicas: benchReplicas,
}

const names = process.argv.slice(2).filter((word) => !word.startsWith('-'))
const unknown = names.find((name) => !(name in benches))
if (unknown !== undefined) {
  console.error(`There is no benchmark ${unknown}; there are ${Object.keys(benches).join(', ')}.`)
  process.exit(2)
}
// What was only tried out is nobody's result.
const isResult = !process.argv.includes('--small')
const results = join(import.meta.dirname, 'results')
mkdirSync(results, { recursive: true })
for (const [name, bench] of Object.entries(benches)) {
  if (names.length > 0 && !names.includes(name)) continue
  const result = await bench()
  if (isResult) writeFileSync(join(results, `${name}.json`), `${JSON.stringify({ machine: machine(), ...result }, null, 2)}\n`)
}
