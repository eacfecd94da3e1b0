/** Verdicts in an auditor's words: what was verified, what was only listed, and what nobody can verify from these files. */
import type { EntryVerdict, Erasure, EvidenceVerdict, KeyPeriod, Refusal, Verdict, Witnessed } from '../src/index.ts'

const LISTED = 20
/** Of what an erasure says: one can name thousands of destroyed keys. */
const SAID = 300
const number = (n: number) => n.toLocaleString('en-US')

/** Names in a log were chosen by whoever wrote it: nothing in them may move the cursor or turn the text. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u${(c.codePointAt(0) as number).toString(16).padStart(4, '0')}`)
}

export function refusalWords({ fault, where, detail }: Refusal): string[] {
  return [`DOES NOT VERIFY [${fault}] at ${plain(where)}`, plain(detail)]
}

function typesWords(types: Record<string, number>): string[] {
  const kinds = Object.entries(types).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return kinds.length === 0 ? [] : [`Entries: ${kinds.map(([type, count]) => `${number(count)} ${plain(type)}`).join(', ')}.`]
}

function keysWords(keys: readonly KeyPeriod[]): string[] {
  if (keys.length === 1 && keys[0]?.revokedAbove === undefined) return []
  const lines = keys.map(({ vkey, replacedAt, revokedAbove, reason }) => {
    const until = replacedAt === undefined ? 'speaks for the log now' : `was replaced by entry ${replacedAt}`
    const revoked =
      revokedAbove === undefined ? '' : `, and is revoked above ${number(revokedAbove)} entries${reason ? ` (${plain(reason)})` : ''}`
    return `  ${plain(vkey)} ${until}${revoked}`
  })
  return ['Keys of the log, each of which handed over to the next:', ...lines]
}

function witnessWords({ cosigned, required, notChecked }: Witnessed): string[] {
  const lines = cosigned.map(({ name, time }) => `  ${plain(name)} at ${new Date(time * 1000).toISOString()} by its clock`)
  return [
    ...(cosigned.length > 0 || required > 0 ? [`Cosigned by ${cosigned.length} trusted witnesses (${required} required):`, ...lines] : []),
    ...notChecked.map(
      ({ name, kind }) =>
        `Signature not checked, and not counted: ${plain(name)} (${kind === 'cosignature' ? 'a witness that you did not name' : kind}).`,
    ),
  ]
}

function erasureWords(erasures: readonly Erasure[], types: Record<string, number>): string[] {
  const count = (types['ledger.erased'] ?? 0) + (types['ledger.expired'] ?? 0)
  if (count === 0) return []
  const lines = erasures.slice(0, LISTED).map(({ seq, at, body }) => {
    const { v: _v, at: _at, tenant: _tenant, ...said } = body
    const text = plain(JSON.stringify(said))
    return `  entry ${seq} at ${at}: ${text.length > SAID ? `${text.slice(0, SAID)}…` : text}`
  })
  const more = count > LISTED ? [`  … and ${number(count - LISTED)} more; --json lists the first 1,000`] : []
  return [`Erasures on record (payloads that are gone; their entries and proofs are not): ${number(count)}`, ...lines, ...more]
}

const ALWAYS = [
  '- that what was recorded is true, or that everything was recorded: only that it was recorded and not changed since;',
  '- what arguments and results said: entries commit to them, and who holds one with its salt can show that it is the one;',
  '- the times in entries: they are by the server’s clock.',
]

function notVerified(lines: string[]): string[] {
  return ['Not verified:', ...lines, ...ALWAYS]
}

export type LogNotes = { keyFrom: 'given' | 'folder'; earlier: boolean; witnesses: boolean; timestamps: readonly number[] }

const FOLDER_KEY =
  '- whose log it is: the verifier key came from the folder itself, and whoever made the folder chose it. Pass one that you trust with --vkey;'
const ONE_VIEW = '- that others were shown the same log: no witness was named with --witness;'

export function logWords(verdict: Verdict & { ok: true }, { keyFrom, earlier, witnesses, timestamps }: LogNotes): string[] {
  const { origin, size, root, earlierSize, types, keys, erasures } = verdict
  return [
    `Verified: ${plain(origin)}, ${number(size)} entries, root ${root}.`,
    'The checkpoint is signed, every entry and every hash is what was signed, every outcome belongs to a decision.',
    ...typesWords(types),
    ...(earlierSize === undefined ? [] : [`It contains, unchanged, the ${number(earlierSize)} entries of the earlier checkpoint.`]),
    ...keysWords(keys),
    ...witnessWords(verdict),
    ...erasureWords(erasures, types),
    ...notVerified([
      ...(keyFrom === 'folder' ? [FOLDER_KEY] : []),
      ...(earlier ? [] : ['- that nothing was dropped since you last looked: no checkpoint kept from before was given with --earlier;']),
      ...(witnesses ? [] : [ONE_VIEW]),
      ...(timestamps.length === 0
        ? []
        : [`- the time stamps for ${timestamps.map(number).join(', ')} entries (timestamps/*.tsr): check them with openssl ts;`]),
    ]),
  ]
}

export function entryWords(
  verdict: EntryVerdict & { ok: true },
  { isReceipt, witnesses }: { isReceipt: boolean; witnesses: boolean },
): string[] {
  const { origin, seq, leafHash, size, root } = verdict
  return [
    `Verified: entry ${number(seq)} of ${plain(origin)}, leaf ${leafHash}, in the log of ${number(size)} entries with root ${root}.`,
    isReceipt
      ? 'The log kept the promise of the receipt: this entry has this place.'
      : 'The checkpoint is signed, and the proof leads from the entry to it.',
    ...witnessWords(verdict),
    ...notVerified(['- the other entries;', ...(witnesses ? [] : [ONE_VIEW])]),
  ]
}

/** How to take the time stamps out of a bundle, and hold them against the authority's certificate. */
function timestampWords(sizes: readonly number[], file: string): string[] {
  const quoted = `'${plain(file).replaceAll("'", String.raw`'\''`)}'`
  const take = (i: number, member: string) => `jq -r .payload ${quoted} | base64 -d | jq -j '.predicate.timestamps[${i}].${member}'`
  return sizes.flatMap((size, i) => [
    `- the time stamp over the first ${number(size)} entries of the log, by which they existed. With the certificate of its authority:`,
    `    ${take(i, 'checkpoint')} > ${size}.checkpoint`,
    `    ${take(i, 'token')} | base64 -d > ${size}.tsr`,
    `    openssl ts -verify -in ${size}.tsr -data ${size}.checkpoint -CAfile authority.pem`,
  ])
}

export function evidenceWords(
  verdict: EvidenceVerdict & { ok: true },
  { keyFrom, witnesses, file }: { keyFrom: 'given' | 'bundle'; witnesses: boolean; file: string },
): string[] {
  const { origin, size, root, range, filter, complete, entries, types, keys, erasures, timestamps } = verdict
  const times =
    range.since === undefined && range.until === undefined
      ? ''
      : `, asked for from ${range.since ?? 'the first'} to ${range.until ?? 'the last'}`
  return [
    `Verified: ${number(entries)} entries of ${plain(origin)}, of the log of ${number(size)} entries with root ${root}.`,
    `The bundle is signed with the key of the log, and each entry is proved to be in it. Range: entries ${number(range.first)} to ${number(range.end)} (exclusive)${plain(times)}.`,
    complete
      ? 'No entry of the range is missing.'
      : `A selection, by ${
          plain(
            Object.entries(filter ?? {})
              .map(([name, value]) => `${name}=${value}`)
              .join(', '),
          ) || 'nothing that it names'
        }.`,
    ...typesWords(types),
    ...keysWords(keys),
    ...witnessWords(verdict),
    ...erasureWords(erasures, types),
    ...notVerified([
      ...(keyFrom === 'bundle'
        ? ['- whose log it is: the verifier key came from the bundle itself. Pass one that you trust with --vkey;']
        : []),
      ...(complete ? [] : ['- that no other entry of the range belongs to the selection;']),
      '- the entries outside the range, and that no key was changed or revoked but as the bundle says;',
      ...(witnesses ? [] : [ONE_VIEW]),
      ...timestampWords(timestamps, file),
    ]),
  ]
}
