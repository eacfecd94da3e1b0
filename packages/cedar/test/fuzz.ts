/** `npm run fuzz`: both Cedar engines on as many generated cases as wanted; stops at the first on which they differ, made small. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { disagreements } from './compare.fixture.ts'
import { worlds } from './worlds.fixture.ts'
import type { World } from './worlds.fixture.ts'

const REQUESTS = 20
/** Worlds between two lines of progress. */
const ROUND = 250

function count(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isSafeInteger(value) || value < 0) {
    console.error(`--${name} ${text}: a whole number is expected`)
    process.exit(2)
  }
  return value
}

/** A file that shows the difference when it is run. */
function writeCounterexample(world: World, seed: number): string {
  const file = resolve(`cedar-counterexample-${seed}.ts`)
  const fixture = new URL('compare.fixture.ts', import.meta.url).href
  const text = JSON.stringify(world, (_, value: unknown) => (typeof value === 'bigint' ? `\u0000${value}n` : value), 2)
  writeFileSync(
    file,
    [
      '/** A case on which the two Cedar engines differ: run this file with node to see what each of them says. */',
      `import { disagreements } from '${fixture}'`,
      '',
      `const world = ${text.replaceAll(/"\\u0000(-?\d+n)"/g, '$1')}`,
      'console.dir(disagreements(world), { depth: null })\n',
    ].join('\n'),
  )
  return file
}

const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' } } })
const cases = count('cases', values.cases, 1_000_000)
const first = count('seed', values.seed, Date.now() % 2 ** 31)
const started = performance.now()
console.error(`${cases} cases from seed ${first}`)

const runs = Math.ceil(cases / REQUESTS)
for (let done = 0, seed = first; done < runs; seed++) {
  const numRuns = Math.min(ROUND, runs - done)
  const result = fc.check(
    fc.property(worlds(REQUESTS), (world) => disagreements(world).length === 0),
    { seed, numRuns },
  )
  const [world] = result.counterexample ?? []
  if (world) {
    console.error(`The engines differ. To see it again: npm run fuzz -- --seed ${seed} --cases ${ROUND * REQUESTS}`)
    if (result.errorInstance) console.error(result.errorInstance)
    console.error(`The smallest such world, to be run with node: ${writeCounterexample(world, seed)}`)
    process.exit(1)
  }
  done += numRuns
  const perSecond = Math.round((done * REQUESTS) / ((performance.now() - started) / 1000))
  console.error(`${done * REQUESTS} cases alike, ${perSecond} a second`)
}
