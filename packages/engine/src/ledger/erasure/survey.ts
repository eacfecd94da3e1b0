/** Goes through a stretch of the ledger in steps, so that nobody waits long behind it: what a subject has there, and where keys were used. */
import { setImmediate } from 'node:timers/promises'
import type { JsonObject } from '@ephor/engine/kernel'
import { seqAt } from '../seq-at.ts'
import type { Ledger } from '../types.ts'
import type { ErasureStore, PayloadSize } from './erasure-store.ts'
import { endOfDay, parseKeyName, startOfDay } from './key-name.ts'

/** Entries of one query. */
const STEP = 5000
/** Entries are in the order in which they were written; clocks of replicas differ by less than this. */
const SLACK_MS = 3_600_000

/** The entries among which these keys were used, the last excluded. */
export async function stretchOf(ledger: Pick<Ledger, 'read'>, size: number, names: readonly string[]): Promise<[from: number, to: number]> {
  const days = names.map((name) => parseKeyName(name).day ?? '').toSorted((a, b) => (a < b ? -1 : 1))
  const [first, last] = [days[0], days.at(-1)]
  // A key of before has no day: it may have been used anywhere.
  if (first === undefined || first === '' || last === undefined) return [0, size]
  return [await seqAt(ledger, size, startOfDay(first) - SLACK_MS), await seqAt(ledger, size, endOfDay(last) + SLACK_MS)]
}

/** What `read` finds, a step at a time. */
export async function* inSteps(
  [from, to]: [number, number],
  read: (from: number, to: number) => Promise<PayloadSize[]>,
): AsyncGenerator<PayloadSize[]> {
  for (let at = from; at < to; at += STEP) {
    const found = await read(at, Math.min(at + STEP, to))
    if (found.length > 0) yield found
    await setImmediate()
  }
}

export type Survey = {
  payloads: Record<string, number>
  entries: Record<string, number>
  bytes: number
  commitments: number
  from?: string
  to?: string
}

const add = (counts: Record<string, number>, name: string) => {
  counts[name] = (Object.hasOwn(counts, name) ? (counts[name] ?? 0) : 0) + 1
}

/** Counts what is sealed under these keys of a subject. */
export async function survey(
  reads: ErasureStore,
  ledger: Pick<Ledger, 'read'>,
  subject: string,
  names: ReadonlySet<string>,
): Promise<Survey> {
  const counted: Survey = { payloads: {}, entries: {}, bytes: 0, commitments: 0 }
  if (names.size === 0) return counted
  const stretch = await stretchOf(ledger, await reads.size(), [...names])
  for await (const found of inSteps(stretch, (from, to) => reads.payloadsOf(subject, from, to))) {
    const sealed = found.filter((one) => one.bytes > 0 && names.has(one.subject))
    for (const { name, bytes } of sealed) {
      for (const one of name.split(' ')) add(counted.payloads, one)
      counted.commitments += name.split(' ').length
      counted.bytes += bytes
    }
    const seqs = [...new Set(sealed.map(({ seq }) => seq))]
    for (let i = 0; i < seqs.length; i += 500)
      for (const { body } of await reads.bodies(seqs.slice(i, i + 500))) {
        const { type, at } = JSON.parse(body) as JsonObject
        if (typeof type === 'string') add(counted.entries, type)
        if (typeof at === 'string') {
          if (counted.from === undefined || at < counted.from) counted.from = at
          if (counted.to === undefined || at > counted.to) counted.to = at
        }
      }
  }
  return counted
}
