/** Reads `charter.yaml`, or says everything that is wrong with it and where. */
import { isMap, LineCounter, parseDocument } from 'yaml'
import type { Document } from 'yaml'
import { z } from 'zod'
import { nearest } from '../nearest.ts'
import type { Finding } from '../types.ts'
import { Charter } from './charter.ts'

/** The name that a charter has in its folder. */
export const CHARTER_FILE = 'charter.yaml'

const MAX_BYTES = 64 * 1024
const MAX_FINDINGS = 50

type Path = readonly (string | number)[]
type Located = { code: string; message: string; suggestion?: string; line: number; column: number }

function finding({ code, message, suggestion, line, column }: Located): Finding {
  return { code, severity: 'error', file: CHARTER_FILE, line, column, message, ...(suggestion === undefined ? {} : { suggestion }) }
}

/** Finds where a value, or with `key` the name of a member, stands in the text; the nearest one around it when it is missing. */
export function locate(document: Document, lines: LineCounter, path: Path, key?: string): { line: number; column: number } {
  const node = document.getIn(path, true)
  const pair = key !== undefined && isMap(node) ? node.items.find((item) => String(item.key) === key) : undefined
  const range = ((pair?.key ?? node) as { range?: [number, number, number] | null } | null | undefined)?.range
  if (range) {
    const { line, col } = lines.linePos(range[0])
    return { line, column: col }
  }
  return path.length > 0 ? locate(document, lines, path.slice(0, -1)) : { line: 1, column: 1 }
}

type Shape = { properties?: Record<string, Shape>; items?: Shape; additionalProperties?: Shape | boolean; oneOf?: Shape[] }

/** The names that an object of the charter may have at this place. */
function namesAt(path: Path): string[] {
  let shapes = [z.toJSONSchema(Charter, { io: 'input' }) as Shape]
  for (const part of path) {
    const inner = shapes.map(({ properties, items, additionalProperties: others }) => properties?.[part] ?? items ?? others)
    shapes = inner.filter((shape) => typeof shape === 'object').flatMap((shape) => shape.oneOf ?? shape)
  }
  return [...new Set(shapes.flatMap(({ properties = {} }) => Object.keys(properties)))]
}

function fromIssue(document: Document, lines: LineCounter, issue: z.core.$ZodIssue): Finding[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  const where = path.join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const near = nearest(key, namesAt(path))
      const message = `${where === '' ? 'the charter' : where} has no ${JSON.stringify(key.slice(0, 100))}`
      const suggestion = near === undefined ? `there are ${namesAt(path).join(', ')}` : `did you mean ${near}?`
      return finding({ code: 'CHARTER_UNKNOWN', message, suggestion, ...locate(document, lines, path, key) })
    })
  }
  const said = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message
  const message = where === '' ? said : `${where}: ${said}`
  // What is wrong with a name is shown at the name.
  const place =
    issue.code === 'invalid_key' ? locate(document, lines, path.slice(0, -1), String(path.at(-1))) : locate(document, lines, path)
  return [finding({ code: 'CHARTER_INVALID', message, ...place })]
}

/** The parsed text, for who wants to say where in it something stands. @throws when it is nested beyond all measure. */
export function parseCharter(text: string): { document: Document; lines: LineCounter } {
  const lines = new LineCounter()
  return { document: parseDocument(text, { lineCounter: lines, prettyErrors: false }), lines }
}

/** @param text of `charter.yaml`, untrusted: no aliases, no duplicate keys, no unknown names, at most 64 KiB */
export function readCharter(text: string): { charter: Charter } | { findings: Finding[] } {
  const whole = { line: 1, column: 1 }
  if (Buffer.byteLength(text) > MAX_BYTES)
    return { findings: [finding({ code: 'CHARTER_TOO_LARGE', message: `the charter is larger than ${MAX_BYTES} bytes`, ...whole })] }
  try {
    const { document, lines } = parseCharter(text)
    if (document.errors.length > 0) {
      const findings = document.errors.map(({ message, pos: [start] }) => {
        const { line, col } = lines.linePos(start)
        return finding({ code: 'CHARTER_SYNTAX', message, line, column: col })
      })
      return { findings: findings.slice(0, MAX_FINDINGS) }
    }
    // An empty file is a charter that changes nothing. No aliases: a few of them could stand for gigabytes.
    const parsed = Charter.safeParse(document.toJS({ maxAliasCount: 0 }) ?? {})
    if (parsed.success) return { charter: parsed.data }
    return { findings: parsed.error.issues.flatMap((issue) => fromIssue(document, lines, issue)).slice(0, MAX_FINDINGS) }
  } catch (error) {
    const message = error instanceof RangeError ? 'the charter is nested too deeply' : 'aliases (*name) are not taken: write the value out'
    return { findings: [finding({ code: 'CHARTER_SYNTAX', message, ...whole })] }
  }
}
