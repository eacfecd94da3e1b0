/** Searching a million entries: the time of a page by what is asked for, on either store, and what indexing takes from appends. `--small` tries it out in seconds. */
import type { Filters } from '../packages/engine/src/ledger/search/search-query.ts'
import type { EntryDraft, Ledger, Search } from '@ephor/engine/ledger'
import { openSearch } from '@ephor/engine/ledger'
import { makeLog } from '@ephor/engine/kernel'
import { describePostgres, inDatabase, inFolder, openLedgerWorld } from './ledger/worlds.ts'
import type { Place } from './ledger/worlds.ts'
import { closedLoop, printTable } from './measure.ts'

const SMALL = process.argv.includes('--small')
const ENTRIES = SMALL ? 20_000 : 1_000_000
const ROUNDS = SMALL ? 10 : 100
const DURATION = SMALL ? { warmupMs: 100, ms: 400 } : { warmupMs: 2000, ms: 6000 }
const BATCH = 100
const CALLERS = 64
const VERSION = `sha256:${'ab'.repeat(32)}`

/** Few agents do most, as it is; every tenth call is refused, each agent for its own reasons. */
const share = (n: number, of: number) => Math.floor((((n * 2_654_435_761) % 4_294_967_296) / 4_294_967_296) * of)
const skewed = (n: number, of: number) => Math.floor((share(n, of) * share(n * 31 + 7, of)) / of)
const agentOf = (n: number) => `agt_${String(skewed(n, 200)).padStart(26, '0')}`
const traceOf = (n: number) => n.toString(16).padStart(32, '0')
const idOf = (n: number) => `dec_${String(n).padStart(26, '0')}`

/** A decision and its outcome take turns. */
function draftOf(n: number): EntryDraft {
  const half = Math.floor(n / 2)
  if (n % 2 === 1)
    return {
      type: 'outcome',
      id: `${idOf(half)}/outcome`,
      body: { decision: idOf(half), status: half % 20 === 0 ? 'failed' : 'succeeded', by: 'broker' },
    }
  const isDenied = half % 10 === 0
  const tool = skewed(half * 17, 60)
  return {
    type: 'decision',
    id: idOf(half),
    body: {
      effect: isDenied ? 'deny' : 'permit',
      door: 'mcp',
      principal: { type: 'agent', id: agentOf(half), credential: `crd_${String(half % 300).padStart(26, '0')}` },
      session: `session-${Math.floor(half / 250)}`,
      method: 'tools/call',
      server: `server-${tool % 9}`,
      tool: {
        server: `server-${tool % 9}`,
        name: `tool_${tool}`,
        digest: VERSION,
        kind: 'read',
        risk: ['low', 'medium', 'high'][tool % 3] ?? 'low',
      },
      policy: VERSION,
      digest: VERSION,
      reasons: [isDenied ? 'folders/outside' : `reads/${tool % 20}`],
      ...(isDenied ? { fault: 'POLICY_DENIED' } : {}),
      trace: `00-${traceOf(half)}-00f067aa0ba902b7-01`,
    },
  }
}

async function fill(ledger: Ledger): Promise<void> {
  let next = 0
  const caller = async () => {
    for (let at = next; at < ENTRIES; at = next) {
      next += BATCH
      await ledger.append({ changes: [], entries: Array.from({ length: Math.min(BATCH, ENTRIES - at) }, (_, i) => draftOf(at + i)) })
    }
  }
  await Promise.all(Array.from({ length: 8 }, caller))
}

/** What people ask for, and what is hardest: terms that many entries have and none both. */
const QUESTIONS: Record<string, (round: number) => Filters> = {
  'refusals, the last': () => ({ effect: 'deny' }),
  'one agent': (round) => ({ agent: agentOf(round * 101) }),
  'refusals of an agent': (round) => ({ agent: agentOf(round * 101), effect: 'deny' }),
  'words of a reason': () => ({ text: 'outside folder' }),
  'a trace': (round) => ({ trace: traceOf((round * 4099) % (ENTRIES / 2)) }),
  'all about a decision': (round) => ({ about: idOf((round * 4099) % (ENTRIES / 2)) }),
  'a tool, of some risk, by an agent': (round) => ({ tool: `tool_${round % 60}`, risk: ['medium', 'high'], agent: agentOf(round) }),
  'a session and an effect': (round) => ({ session: `session-${round}`, effect: ['permit', 'deny'] }),
  'many of each, none of both': () => ({ type: 'decision', outcome: 'succeeded' }),
  nothing: (round) => ({ agent: `agt_${round}`, effect: 'permit' }),
}

type Row = { store: string; question: string; p50Ms: number; p95Ms: number; maxMs: number; hits: number }

async function ask(store: string, search: Search): Promise<Row[]> {
  const rows: Row[] = []
  for (const [question, filters] of Object.entries(QUESTIONS)) {
    const times: number[] = []
    let hits = 0
    for (let round = 0; round < ROUNDS; round++) {
      const began = performance.now()
      const { items } = await search.search(filters(round), { order: round % 2 === 0 ? 'newest' : 'oldest', limit: 50 })
      times.push(performance.now() - began)
      hits += items.length
    }
    const sorted = times.toSorted((a, b) => a - b)
    const at = (p: number) => Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0) * 100) / 100
    rows.push({ store, question, p50Ms: at(0.5), p95Ms: at(0.95), maxMs: at(1), hits: Math.round(hits / ROUNDS) })
  }
  return rows
}

async function caughtUp(search: Search): Promise<number> {
  const began = performance.now()
  for (;;) {
    const { entries, indexed } = await search.status()
    if (indexed === entries) return Math.round(performance.now() - began)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function benchStore(name: string, place: Place) {
  const world = await openLedgerWorld(place)
  const append = async (what: string) => {
    const figures = await closedLoop(CALLERS, DURATION, (caller, turn) =>
      world.ledger.append({ changes: [], entries: [{ type: 'filler', id: `${what}/${caller}/${turn}`, body: { caller, turn } }] }),
    )
    return { store: name, what, ...figures }
  }
  try {
    await fill(world.ledger)
    const without = await append('appends without an index')
    const search = await openSearch({
      store: world.store,
      log: makeLog('error'),
      reasons: async () => ({ 'folders/outside': 'The path is outside the folders.' }),
    })
    const during = await append('appends while a million entries are indexed')
    const indexMs = await caughtUp(search)
    const rows = await ask(name, search)
    await search.close()
    return { rows, appends: [without, during], indexMs }
  } finally {
    await world.close()
  }
}

export async function benchLedgerSearch() {
  const results = [await inFolder((folder) => benchStore('sqlite', { folder }))]
  if (await describePostgres()) results.push(await inFolder((folder) => inDatabase((url) => benchStore('postgres', { folder, url }))))
  else console.log('No PostgreSQL answers (BENCH_POSTGRES names another): its rows are left out.')
  const rows = results.flatMap((result) => result.rows)
  const appends = results.flatMap((result) => result.appends)
  printTable(`A page of 50 of ${ENTRIES} entries`, rows)
  printTable('Appends beside indexing', appends)
  return { entries: ENTRIES, rows, appends, caughtUpMs: results.map(({ indexMs }) => indexMs) }
}
