/** Output: tables for people, JSON for programs, and nothing from outside that could move a terminal's cursor. */

export type Io = {
  stdout: { write(text: string): unknown; isTTY?: boolean; columns?: number }
  stderr: { write(text: string): unknown; isTTY?: boolean }
  environment: Record<string, string | undefined>
  /** The working folder. */
  folder: string
}

/**
 * Agents and tool servers choose this text. Control characters could rewrite what the terminal shows, invisible and
 * direction-changing ones could make one name look like another: all are written out.
 */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (c) =>
    c === '\n' ? '⏎' : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function cell(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-'
  if (Array.isArray(value)) return value.length === 0 ? '-' : plain(value.map(String).join(', '))
  return plain(typeof value === 'string' ? value : JSON.stringify(value))
}

export type Column<T> = [title: string, value: (row: T) => unknown]

/** A table with a header; in a terminal the last column is cut to its width. */
export function table<T>(io: Io, rows: readonly T[], columns: readonly Column<T>[], none: string): void {
  if (rows.length === 0) {
    io.stdout.write(`${none}\n`)
    return
  }
  const cells = [columns.map(([title]) => title.toUpperCase()), ...rows.map((row) => columns.map(([, value]) => cell(value(row))))]
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => (line[i] ?? '').length)))
  const room = io.stdout.isTTY ? (io.stdout.columns ?? Infinity) : Infinity
  for (const line of cells) {
    const text = line
      .map((value, i) => (i === line.length - 1 ? value : value.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
    io.stdout.write(`${text.length > room ? `${text.slice(0, room - 1)}…` : text}\n`)
  }
}

/** Name and value, a line each; values that are missing are left out. */
export function facts(io: Io, pairs: readonly (readonly [string, unknown])[]): void {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== '')
  const width = Math.max(...shown.map(([name]) => name.length))
  for (const [name, value] of shown) io.stdout.write(`${name.padEnd(width)}  ${cell(value)}\n`)
}

export function json(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

export function line(io: Io, text: string): void {
  io.stdout.write(`${text}\n`)
}

/** JSON of untrusted values for people: indented, with everything invisible written out. */
export function block(value: unknown): string {
  return JSON.stringify(value, null, 2)
    .split('\n')
    .map((text) => `  ${plain(text)}`)
    .join('\n')
}

/** `3 min ago`, `in 12 min`: for tables, beside exact times in JSON. */
export function ago(iso: string | undefined, now: number): string {
  if (iso === undefined) return '-'
  const seconds = Math.round((now - Date.parse(iso)) / 1000)
  const far = Math.abs(seconds)
  const text =
    far < 90
      ? `${far} s`
      : far < 5400
        ? `${Math.round(far / 60)} min`
        : far < 172_800
          ? `${Math.round(far / 3600)} h`
          : `${Math.round(far / 86_400)} d`
  return seconds < 0 ? `in ${text}` : `${text} ago`
}
