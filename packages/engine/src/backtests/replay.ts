/** Makes recorded decisions again: opens their records, puts the question to the policies, and counts what comes out otherwise. */
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import { openSealed } from '@ephor/engine/ledger'
import type { SealedEntries } from '@ephor/engine/ledger'
import { openBundle, readAnswer, readQuestion } from '@ephor/engine/policy'
import type { OpenBundle, PolicyFiles, PolicyRequest, PolicyWorld } from '@ephor/engine/policy'
import { isSame, noTally, recordReplayed, recordSkip, saidNow, saidThen } from './rules.ts'
import type { Changed, Job, Skip, Tally } from './types.ts'

/** Where texts and worlds come from; undefined for what is not there, or is something else than its digest says. */
export type Source = {
  files(version: string): Promise<PolicyFiles | undefined>
  world(digest: string): Promise<PolicyWorld | undefined>
}

/** Worlds and versions kept open at once: records lie in the order of time, so the last few are nearly always enough. */
const KEPT = 8

/** The last few results of a function that is dear to call. */
function remember<T>(make: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const known = new Map<string, T>()
  return async (key) => {
    const found = known.get(key)
    if (found !== undefined || known.has(key)) return found as T
    const made = await make(key)
    known.set(key, made)
    const [oldest] = known.keys()
    if (known.size > KEPT && oldest !== undefined) known.delete(oldest)
    return made
  }
}

type Record = { id: string; body: JsonObject; question: PolicyRequest; answer: string | undefined; version: string; world: string }

type Read = { id: string; skip: Skip } | Record | undefined

/** @returns undefined for a decision about another agent */
function readRecord(entry: SealedEntries['entries'][number], keys: SealedEntries['keys'], agent: string | undefined): Read {
  const id = entry.row.id ?? ''
  try {
    const opened = openSealed(entry, keys)
    const { body } = opened
    const { principal, door, policy, world, commitments } = body as {
      principal: { id: string }
      door: string
      policy?: string
      world?: string
      commitments?: { facts?: unknown }
    }
    if (agent !== undefined && principal.id !== agent && body['agent'] !== agent) return undefined
    if (door !== 'mcp' && door !== 'api') return { id, skip: 'door' }
    if (policy === undefined) return { id, skip: 'unasked' }
    if (world === undefined || commitments?.facts === undefined) return { id, skip: 'older' }
    const facts = opened.payload('facts')
    const question = readQuestion(body, opened.payload('input'), facts)
    return question ? { id, body, question, answer: readAnswer(facts), version: policy, world } : { id, skip: 'erased' }
  } catch (error) {
    if (error instanceof Fault && error.code === 'STORE_CORRUPT') return { id, skip: 'corrupt' }
    throw error
  }
}

function changedOf({ id, body, question }: Record, decision: ReturnType<OpenBundle['decide']>): Changed {
  const { principal, action } = question
  const agent = typeof body['agent'] === 'string' ? body['agent'] : principal.id
  return { decision: id, at: body['at'] as string, agent, action, from: saidThen(body), to: saidNow(decision) }
}

/**
 * @param agent whose decisions alone are looked at
 * @returns makes a stretch again, at most `most` decisions of it, and says what was found
 */
export function makeReplay(
  job: Job,
  source: Source,
  agent?: string,
): (batch: Pick<SealedEntries, 'entries' | 'keys'>, most: number) => Promise<Tally> {
  const worldOf = remember((digest) => source.world(digest))
  const versionOf = remember(async (version) => {
    const files = await source.files(version)
    return files && { files, opened: undefined as OpenBundle | undefined }
  })
  const candidate = job.kind === 'candidate' ? openBundle(job.files, job.world) : undefined
  // It is awaited with the first decision; until then its failure is nobody's.
  candidate?.catch(() => undefined)

  async function bundleOf(version: string, digest: string): Promise<OpenBundle | Skip> {
    const world = await worldOf(digest)
    if (!world) return 'world'
    if (candidate) return (await candidate).under(world)
    const known = await versionOf(version)
    if (!known) return 'version'
    known.opened ??= await openBundle(known.files, world)
    return known.opened.under(world)
  }
  const bundles = remember((key) => {
    const [version = '', world = ''] = key.split(' ')
    return bundleOf(version, world)
  })

  /** Records that follow one another nearly always have the same pins. */
  let last: { key: string; bundle: OpenBundle | Skip } | undefined

  return async ({ entries, keys }, most) => {
    const tally = noTally()
    for (const entry of entries) {
      if (tally.seen >= most) break
      const record = readRecord(entry, keys, agent)
      if (!record) continue
      if ('skip' in record) {
        recordSkip(tally, record.skip, record.id)
        continue
      }
      const key = `${record.version} ${record.world}`
      if (last?.key !== key) last = { key, bundle: await bundles(key) }
      const { bundle } = last
      if (typeof bundle === 'string') {
        recordSkip(tally, bundle, record.id)
        continue
      }
      const decision = bundle.decide(record.question)
      recordReplayed(tally, isSame(record.body, record.answer, decision) ? undefined : changedOf(record, decision))
    }
    return tally
  }
}
