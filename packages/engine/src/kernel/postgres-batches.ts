/** Applies batches of units on PostgreSQL, one transaction each: together when all go well, otherwise unit by unit. */
import { faultOfUnit } from './postgres-faults.ts'
import { ConnectionLost } from './postgres-link.ts'
import type { PostgresWriter, Worked } from './postgres-writer-store.ts'
import type { PostgresExtension, PostgresResult, PostgresSql, PostgresStatement } from './store.ts'
import { RowsMismatch } from './thread-messages.ts'
import type { SentUnit, UnitResult } from './thread-messages.ts'

const plain = (text: string): PostgresStatement => ({ text, params: [] })
const SAVE = plain('SAVEPOINT unit')
const RELEASE = plain('RELEASE SAVEPOINT unit')
const UNDO = plain('ROLLBACK TO SAVEPOINT unit')

/** @throws RowsMismatch for the first change that did not meet its row count */
function checkRows({ changes }: SentUnit, results: PostgresResult[]): void {
  for (const [i, { rows, fault }] of changes.entries()) if (rows !== undefined && results[i]?.count !== rows) throw new RowsMismatch(fault)
}

const hasAttachment = ({ attachment }: SentUnit) => attachment !== undefined

export function makeBatches(writer: PostgresWriter, extension: PostgresExtension | undefined) {
  const texts: string[] = []

  const statementsOf = (unit: SentUnit) => unit.changes.map(({ statement, params }) => ({ text: texts[statement] ?? '', params }))

  function apply(attachments: readonly unknown[]): { statements: PostgresStatement[]; answers: unknown[] } {
    return attachments.length > 0 && extension ? extension.apply(attachments) : { statements: [], answers: [] }
  }

  async function together(sql: PostgresSql, units: SentUnit[]): Promise<Worked<UnitResult[]>> {
    const changed = units.flatMap(statementsOf)
    const [begun, ran] = await Promise.allSettled([extension?.begin(sql), changed.length > 0 ? sql.run(changed) : []])
    if (begun.status === 'rejected') throw begun.reason
    if (ran.status === 'rejected') throw ran.reason
    let at = 0
    for (const unit of units) checkRows(unit, ran.value.slice(at, (at += unit.changes.length)))
    const { statements, answers } = apply(units.filter(hasAttachment).map(({ attachment }) => attachment))
    const answered = answers.values()
    const value = units.map((unit) => ({ ok: true as const, value: hasAttachment(unit) ? answered.next().value : undefined }))
    return { value, last: statements }
  }

  /** @param before what ends the unit before this one, to save a round trip; emptied once it was run */
  async function alone(sql: PostgresSql, unit: SentUnit, before: PostgresStatement[]): Promise<UnitResult> {
    const first = [...before.splice(0), SAVE]
    try {
      checkRows(unit, (await sql.run([...first, ...statementsOf(unit)])).slice(first.length))
      if (!hasAttachment(unit)) return { ok: true, value: undefined }
      const { statements, answers } = apply([unit.attachment])
      if (statements.length > 0)
        await sql.run(statements).catch((error: unknown) => {
          extension?.undone()
          throw error
        })
      return { ok: true, value: answers[0] }
    } catch (error) {
      const fault = error instanceof ConnectionLost ? undefined : faultOfUnit(error)
      if (!fault) throw error
      before.push(UNDO)
      return { ok: false, ...fault }
    } finally {
      before.push(RELEASE)
    }
  }

  async function oneByOne(sql: PostgresSql, units: SentUnit[]): Promise<Worked<UnitResult[]>> {
    await extension?.begin(sql)
    const before: PostgresStatement[] = []
    const value: UnitResult[] = []
    for (const unit of units) value.push(await alone(sql, unit, before))
    return { value, last: before }
  }

  return async (statements: string[], units: SentUnit[]): Promise<UnitResult[]> => {
    texts.push(...statements)
    let results: UnitResult[]
    try {
      results = await writer.transaction(units.length, (sql) => together(sql, units))
    } catch (error) {
      if (error instanceof ConnectionLost || !faultOfUnit(error)) throw error
      results = await writer.transaction(units.length, (sql) => oneByOne(sql, units))
    }
    if (results.some(({ ok }) => ok)) extension?.committed()
    return results
  }
}
