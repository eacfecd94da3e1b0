/** A client's configuration file: JSON with comments, read strictly and edited in place. */
import { Fault } from '@ephor/contract'
import { applyEdits, getNodeValue, modify, parseTree, printParseErrorCode } from 'jsonc-parser'
import type { FormattingOptions, Node, ParseError } from 'jsonc-parser'
import type { Client, Section } from './types.ts'

export type Values = Record<string, unknown>

export const isObject = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Under which key a client keeps its servers. */
export const serversKey = (client: Client): string => (client === 'vscode' ? 'servers' : 'mcpServers')

/** Two readers may each believe another one of two equal keys, and an edit reaches only one of them. */
function refuseDuplicates(node: Node, file: string): void {
  if (node.type === 'object') {
    const names = (node.children ?? []).map((property) => String(property.children?.[0]?.value))
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (twice !== undefined)
      throw new Fault('REQUEST_INVALID', `the key ${JSON.stringify(twice)} stands twice in one object`, { where: file })
  }
  for (const child of node.children ?? []) refuseDuplicates(child, file)
}

/** @throws Fault REQUEST_INVALID with the place when the file is not JSON with comments, or not an object */
export function parseConfiguration(text: string, file: string): Values {
  const errors: ParseError[] = []
  const body = text.replace(/^\uFEFF/, '')
  if (body.trim() === '') return {}
  const tree = parseTree(body, errors, { allowTrailingComma: true })
  const [error] = errors
  if (error) {
    const before = body.slice(0, error.offset).split('\n')
    const where = `${file}:${before.length}:${(before.at(-1) ?? '').length + 1}`
    throw new Fault('REQUEST_INVALID', `${file} is not valid JSON: ${printParseErrorCode(error.error)}`, { where })
  }
  if (tree?.type !== 'object') throw new Fault('REQUEST_INVALID', `${file} does not hold an object`, { where: file })
  // Only what is edited: the rest is the client's own business, and can be large.
  for (const property of tree.children ?? [])
    if (['servers', 'mcpServers', 'projects'].includes(String(property.children?.[0]?.value))) refuseDuplicates(property, file)
  return getNodeValue(tree) as Values
}

export function sectionOf(values: Values, section: Section): Values | undefined {
  let at: unknown = values
  for (const key of section) at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined
  return isObject(at) ? at : undefined
}

/** Every object of servers in the file; the first is where the `ephor` entry goes. */
export function sectionsOf(values: Values, client: Client): Section[] {
  const key = client === 'other' && isObject(values['servers']) && !isObject(values['mcpServers']) ? 'servers' : serversKey(client)
  const { projects } = values
  // Claude Code keeps servers of single projects in the user's file.
  const inner = client === 'claude-code' && isObject(projects) ? Object.keys(projects).map((folder) => ['projects', folder, key]) : []
  return [[key], ...inner.filter((section) => sectionOf(values, section))]
}

/** The file's own style: what it indents with and how its lines end. */
function styleOf(text: string): FormattingOptions {
  const indent = /\n([ \t]+)"/.exec(text)?.[1] ?? '  '
  return {
    insertSpaces: !indent.startsWith('\t'),
    tabSize: indent.startsWith('\t') ? 1 : indent.length,
    eol: text.includes('\r\n') ? '\r\n' : '\n',
  }
}

/** Sets a value, or removes it when it is undefined; comments and everything else stay as they are. */
export function edit(text: string, path: string[], value: unknown): string {
  const bom = text.startsWith('\uFEFF') ? '\uFEFF' : ''
  const body = text.slice(bom.length)
  const base = body.trim() === '' ? '{}\n' : body
  return bom + applyEdits(base, modify(base, path, value, value === undefined ? {} : { formattingOptions: styleOf(base) }))
}
