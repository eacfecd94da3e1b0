/** The filters of searches and exports as options, the same everywhere, and the table of what they find. */
import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { SEARCH_FIELDS } from '@ephor/contract'
import type { ledgerSearchOperations, OperationResponse, SearchField } from '@ephor/contract'
import { ago, table } from '../output.ts'
import type { Column, Io } from '../output.ts'
import { since } from '../policy/since.ts'

export type FilterOptions = { [K in SearchField]?: string[] } & { text?: string; since?: string; until?: string }
export type FoundEntry = OperationResponse<typeof ledgerSearchOperations.searchLedger>['items'][number]

const FIELDS = Object.keys(SEARCH_FIELDS) as SearchField[]

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}

/** A length of time before now, or RFC 3339. */
function time(text: string): string {
  if (/^\d+[mhd]$/.test(text)) return since(text)
  const at = Date.parse(text)
  if (!/^\d{4}-\d\d-\d\d(?:T|$)/.test(text) || Number.isNaN(at))
    throw new InvalidArgumentError('write a length of time such as 90m, 24h or 7d, or a time such as 2026-11-01T08:00:00Z')
  return new Date(at).toISOString()
}

/** @param taken options that the command has already */
export function withFilters(command: Command, taken: readonly string[] = []): Command {
  for (const name of FIELDS.filter((field) => !taken.includes(field)))
    command.option(`--${name} <value>`, `${SEARCH_FIELDS[name].replaceAll('`', '')} Again for any of several.`, collect)
  return command
    .option('--text <words>', 'words that all stand in reasons, faults or other texts of the entry')
    .option('--since <time>', 'from then on: 90m, 24h, 7d, or RFC 3339', time)
    .option('--until <time>', 'before then', time)
}

/** Those of the options that are filters. */
export function filtersOf(options: object): FilterOptions {
  const names: readonly string[] = [...FIELDS, 'text', 'since', 'until']
  return Object.fromEntries(Object.entries(options).filter(([name, value]) => names.includes(name) && value !== undefined))
}

type Body = FoundEntry['body']
const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
const member = (value: unknown, name: string) => text((value as Record<string, unknown> | null | undefined)?.[name])

function actionOf({ server, application, tool, action, method }: Body): string | undefined {
  const name = member(tool, 'name') ?? text(tool) ?? text(action)
  const place = text(server) ?? text(application)
  return [place, name ?? text(method)].filter((part) => part !== undefined).join('/')
}

function columns(now: number): Column<FoundEntry>[] {
  return [
    ['entry', ({ seq }) => seq],
    ['when', ({ body }) => ago(text(body['at']), now)],
    ['type', ({ body }) => body['type']],
    ['result', ({ body }) => body['effect'] ?? body['status'] ?? body['verdict']],
    ['id', ({ body }) => body['id'] ?? body['decision'] ?? body['approval']],
    ['who', ({ body }) => member(body['principal'], 'id') ?? body['agent'] ?? body['by']],
    ['action', ({ body }) => actionOf(body)],
    ['why', ({ body }) => [text(body['fault']), ...(Array.isArray(body['reasons']) ? body['reasons'] : [])].filter(Boolean)],
  ]
}

export function showEntries(io: Io, entries: readonly FoundEntry[]): void {
  table(io, entries, columns(Date.now()), 'Nothing is found.')
}
