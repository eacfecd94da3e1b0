/** Cosignatures and timestamps: no entry speaks of them, so each is checked by what it is of and by who signed it. */
import type { Store } from '@ephor/engine/kernel'
import {
  parseSignatureLines,
  parseVerifierKey,
  ProofError,
  readCheckpoint,
  sameBytes,
  toHex,
  utf8,
  verifyCheckpoint,
  verifyCosignature,
} from '@ephor/proof'
import type { CosignerKey } from '@ephor/proof'
import type { Uncovered } from './projected-table.ts'
import { projectedRows } from './projected-rows-store.ts'
import type { StoredRow } from './projected-rows-store.ts'
import type { ProjectionCheck } from './projection-check.ts'
import { readStore } from './store.ts'
import { verifyTimestamp } from './timestamps/verify-timestamp.ts'
import type { Ledger } from './types.ts'
import { rootAt } from './witness/forks.ts'

const PAGE = 100
/** How far the time of a witness and the time when its answer was stored may be apart: more than is taken of it, in ms. */
const APART_MS = 600_000

type Rooms = { store: Store; ledger: Pick<Ledger, 'keys'>; cosigners: readonly CosignerKey[] }
type Wrong = { field: string; detail: string }
type Checked = Pick<ProjectionCheck, 'rows' | 'differences'>

/** What keeps a signed checkpoint from being one of this ledger at this size. */
function noteChecker({ store, ledger }: Rooms): (note: string, size: number) => Promise<Wrong | undefined> {
  const reads = readStore(store)
  return async (note, size) => {
    const wrong = (detail: string) => ({ field: 'note', detail })
    try {
      const checkpoint = readCheckpoint(note)
      if (checkpoint.size !== size) return { field: 'size', detail: `its size is not the ${checkpoint.size} of its note` }
      const ours = (await reads.checkpoint())?.size ?? 0
      if (size > ours || !sameBytes(await rootAt(reads, size), checkpoint.root)) return wrong('its note is not of this ledger')
      for (const { vkey } of await ledger.keys.list()) {
        const signed = await verifyCheckpoint(note, parseVerifierKey(vkey)).catch(() => undefined)
        if (signed) return undefined
      }
      return wrong('no key of this ledger signed its note')
    } catch (error) {
      if (error instanceof ProofError) return wrong('its note is no checkpoint')
      throw error
    }
  }
}

/** Page by page from the last. */
async function checkEach(
  { store }: Rooms,
  { table, key }: { table: string; key: string[] },
  check: (row: StoredRow) => Promise<Wrong[]>,
): Promise<Checked> {
  const rows = projectedRows(store, table, key)
  const checked: Checked = { rows: 0, differences: [] }
  for (;;) {
    const page = await rows.page(checked.rows, PAGE)
    for (const row of page) {
      const name = key.map((column) => String(row[column] as string | number)).join('/')
      checked.differences.push(...(await check(row)).map((wrong) => ({ table, key: name, ...wrong })))
    }
    checked.rows += page.length
    if (page.length < PAGE) return checked
  }
}

const idOf = ({ name, keyId }: Pick<CosignerKey, 'name' | 'keyId'>) => `${name}+${toHex(keyId)}`

/** What no entry and no key speaks for is listed in `uncovered`. */
export async function checkSignedRows(rooms: Rooms, uncovered: Uncovered): Promise<Checked[]> {
  const checkNote = noteChecker(rooms)
  const byId = new Map(rooms.cosigners.map((key) => [idOf(key), key]))

  async function cosignature(row: StoredRow): Promise<Wrong[]> {
    const { size, witness, line, note, at } = row as { size: number; witness: string; line: string; note: string; at: number }
    const wrong = await checkNote(note, size)
    if (wrong) return [wrong]
    try {
      const [signed] = parseSignatureLines(line)
      if (!signed || idOf(signed) !== witness) return [{ field: 'witness', detail: 'its line is of another witness' }]
      const key = byId.get(witness)
      if (!key) {
        uncovered.add('ledger_cosignature', `${size}/${witness}`, 'line, at')
        return []
      }
      const { time } = await verifyCosignature(note + line, key)
      return Math.abs(time * 1000 - at) > APART_MS ? [{ field: 'at', detail: 'its at is not the time of the cosignature' }] : []
    } catch (error) {
      if (error instanceof ProofError) return [{ field: 'line', detail: 'its line is no cosignature of its note by this witness' }]
      throw error
    }
  }

  async function timestamp(row: StoredRow): Promise<Wrong[]> {
    const { size, at, note, token } = row as unknown as { size: number; at: number; note: string; token: Uint8Array }
    const wrong = await checkNote(note, size)
    if (wrong) return [wrong]
    const said = await verifyTimestamp(new Uint8Array(token), { data: utf8(note), anchors: 'unchecked' }).catch((error: Error) => error)
    if (typeof said !== 'number') return [{ field: 'token', detail: `its token is no timestamp of its note: ${said.message}` }]
    return said === at ? [] : [{ field: 'at', detail: 'its at is not what its token says' }]
  }

  return [
    await checkEach(rooms, { table: 'ledger_cosignature', key: ['size', 'witness'] }, cosignature),
    await checkEach(rooms, { table: 'ledger_timestamp', key: ['size'] }, timestamp),
  ]
}
