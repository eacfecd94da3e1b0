/** Wire shapes of searches in the ledger, and of what is exported of it by the same filters. */
import { z } from 'zod'
import { EntryView } from './ledger.ts'
import type { Operations } from './operation.ts'
import { PageQuery, pageOf } from './page.ts'

/** What entries are found by, and what it means. */
export const SEARCH_FIELDS = {
  type: 'The type of the entry, or how it begins: `decision`, `approval`, `approval.opened`.',
  agent: '`agt_…`: who asked, or whom the entry is about.',
  person: '`per_…`: on whose behalf, who decided, who did it.',
  tool: 'A tool by its name, or as `server/tool`.',
  server: 'A tool server, or an application of an enforcement point.',
  resource: 'What it was about, by name: a server, `server/tool`, an application, a secret.',
  effect: '`permit`, `hold` or `deny`; of approvals the verdict.',
  outcome: 'How an action ended: `succeeded`, `failed` or `unknown`.',
  policy: 'A policy by its id, or a version by its digest.',
  fault: 'The fault code of a refusal.',
  risk: 'The risk of the tool, or the tier of the score.',
  session: 'The session as entries name it.',
  trace: 'A W3C trace id, or a whole traceparent.',
  door: 'Where the call came in: `mcp`, `api`, `authzen`, `envoy`.',
  about: 'Any id that the entry mentions: `dec_…`, `apr_…`, `agt_…`.',
} as const

export type SearchField = keyof typeof SEARCH_FIELDS

const Value = z.string().min(1).max(300)
const Values = z.union([Value, z.array(Value).min(1).max(20)]).optional()
const fields = Object.fromEntries(
  Object.entries(SEARCH_FIELDS).map(([name, meaning]) => [name, Values.describe(`${meaning} Said more than once: any of these.`)]),
) as Record<SearchField, typeof Values>

const Time = z.iso.datetime({ offset: true })

const SearchFilters = z.object({
  ...fields,
  text: Value.optional().describe(
    'Words that all have to be there: of the reasons of policies, of faults and of what else bodies say in words. No arguments or results: those are encrypted.',
  ),
  since: Time.optional().describe('From this time on (RFC 3339).'),
  until: Time.optional().describe('Before this time (RFC 3339).'),
})

/** JSON Lines, CloudEvents 1.0 and OCSF 1.8 (a line each), CSV (RFC 4180), signed evidence (in-toto in DSSE). */
export const EXPORT_FORMATS = ['jsonl', 'cloudevents', 'ocsf', 'csv', 'bundle'] as const
const ExportFormat = z.enum(EXPORT_FORMATS)

const SearchStatus = z.object({
  entries: z.number().int().describe('In the ledger.'),
  indexed: z.number().int().describe('Of these, how many the index has read.'),
  counted: z.number().int().describe('How many the index holds: another number means that it was changed.'),
  sampled: z.number().int().describe('Entries, chosen by chance, that were looked up by every term they have.'),
  missing: z.number().int().describe('Of these, how many the index does not give: any means that it was changed.'),
})

export const ledgerSearchOperations = {
  searchLedger: {
    method: 'GET',
    path: '/v1/ledger/search',
    summary: 'Finds entries by what they are about; each is read from the ledger and checked before it is shown',
    tag: 'ledger',
    who: 'person',
    query: PageQuery.extend(SearchFilters.shape).extend({
      order: z.enum(['newest', 'oldest']).default('newest').describe('Which come first.'),
    }),
    response: pageOf(EntryView),
  },
  getSearchStatus: {
    method: 'GET',
    path: '/v1/ledger/search/status',
    summary: 'Compares the index with the ledger',
    tag: 'ledger',
    who: 'person',
    response: SearchStatus,
  },
  rebuildSearch: {
    method: 'POST',
    path: '/v1/ledger/search/rebuild',
    summary: 'Forgets the index and reads the ledger again, behind what is going on',
    tag: 'ledger',
    who: 'person',
    status: 202,
    response: SearchStatus.pick({ entries: true }),
  },
  exportLedger: {
    method: 'GET',
    path: '/v1/ledger/export',
    summary: 'Writes entries out in a format of others, or as signed evidence; leaves an entry of who took what',
    tag: 'ledger',
    who: 'person',
    query: SearchFilters.extend({
      format: ExportFormat,
      after: z.coerce
        .number()
        .int()
        .min(-1)
        .max(Number.MAX_SAFE_INTEGER)
        .optional()
        .describe('Only entries behind this place: where the last export ended.'),
    }),
    response: z.string().describe('In the format that was asked for.'),
    stream: true,
    media: 'application/octet-stream',
  },
} satisfies Operations
